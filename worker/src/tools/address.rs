//! Which addresses a tool call may dial. Pure: given an address, no lookup.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a tool call may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// `allow_external_network: false`: this host and private networks only.
    Internal,
    /// Public addresses too.
    Any,
}

impl Network {
    /// Refuses an address that is out of reach, or that no tool can have.
    pub fn check(self, address: IpAddr) -> Result<(), Forbidden> {
        match (zone(address), self) {
            (Zone::Host | Zone::Private, _) | (Zone::Public, Network::Any) => Ok(()),
            (Zone::Public, Network::Internal) => Err(Forbidden::External),
            (Zone::Never(why), _) => Err(why),
        }
    }
}

/// Why an address may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// Outside, and the agent has `allow_external_network: false`.
    External,
    /// Of the link only; cloud machines keep their credentials there.
    LinkLocal,
    /// A cloud's metadata or host service.
    Metadata,
    /// An IPv4 address in the clothes of IPv6, translated on the way.
    Translated,
    /// Not the address of a single host: unspecified, multicast, reserved, documentation.
    NotAHost,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Forbidden::External => "outside, and the agent has allow_external_network: false",
            Forbidden::LinkLocal => "link-local",
            Forbidden::Metadata => "a cloud's metadata service",
            Forbidden::Translated => "a translated form of an address that is not public",
            Forbidden::NotAHost => "not the address of a single host",
        })
    }
}

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    Host,
    Private,
    Public,
    Never(Forbidden),
}

fn zone(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(address) => zone_v4(address),
        IpAddr::V6(address) => zone_v6(address),
    }
}

fn zone_v4(address: Ipv4Addr) -> Zone {
    match address.octets() {
        // Azure's host service, Alibaba's and Oracle's metadata; the others' is link-local.
        [168, 63, 129, 16] | [100, 100, 100, 200] | [192, 0, 0, 192] => Zone::Never(Forbidden::Metadata),
        [127, ..] => Zone::Host,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Zone::Private,
        [169, 254, ..] => Zone::Never(Forbidden::LinkLocal),
        [0, ..] | [224..=255, ..] => Zone::Never(Forbidden::NotAHost),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => Zone::Never(Forbidden::NotAHost),
        [198, 51, 100, _] | [203, 0, 113, _] => Zone::Never(Forbidden::NotAHost),
        _ => Zone::Public,
    }
}

fn zone_v6(address: Ipv6Addr) -> Zone {
    let segments = address.segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => Zone::Host,
        // Mapped: the socket itself dials the IPv4 address.
        [0, 0, 0, 0, 0, 0xffff, high, low] => zone_v4(embedded(high, low)),
        // NAT64 and 6to4: a router dials it, so it cannot be ours.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => match zone_v4(embedded(high, low)) {
            Zone::Public => Zone::Public,
            Zone::Host | Zone::Private => Zone::Never(Forbidden::Translated),
            never @ Zone::Never(_) => never,
        },
        // NAT64 with a local prefix, and Teredo: where the IPv4 address stands is not ours to know.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => Zone::Never(Forbidden::Translated),
        // The metadata services of Amazon and Google lie in the private range.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Zone::Never(Forbidden::Metadata)
        }
        [0xfc00..=0xfdff, ..] => Zone::Private,
        [0xfe80..=0xfebf, ..] => Zone::Never(Forbidden::LinkLocal),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Zone::Never(Forbidden::NotAHost),
        [0x2000..=0x3fff, ..] => Zone::Public,
        _ => Zone::Never(Forbidden::NotAHost),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: Network, addresses: &str, expected: Result<(), Forbidden>) {
        for address in addresses.split_whitespace() {
            assert_eq!(network.check(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn this_host_and_private_networks_are_reachable() {
        let ours = "127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.9 ::1 fc00::1 fd12:3456::7 \
            ::ffff:10.0.0.1 ::ffff:127.0.0.1";
        check(Network::Internal, ours, Ok(()));
        check(Network::Any, ours, Ok(()));
    }

    #[test]
    fn public_addresses_need_the_external_network() {
        let public = "1.1.1.1 172.32.0.1 172.15.0.1 192.169.0.1 100.64.0.1 11.0.0.1 2606:4700::1111 ::ffff:8.8.8.8 \
            64:ff9b::808:808 2002:808:808::1";
        check(Network::Internal, public, Err(Forbidden::External));
        check(Network::Any, public, Ok(()));
    }

    #[test]
    fn link_local_is_never_reachable() {
        let link = "169.254.169.254 169.254.0.1 169.254.170.2 fe80::1 febf::1 ::ffff:169.254.169.254 \
            64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::";
        check(Network::Internal, link, Err(Forbidden::LinkLocal));
        check(Network::Any, link, Err(Forbidden::LinkLocal));
    }

    #[test]
    fn metadata_services_are_never_reachable() {
        let metadata = "168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254 ::ffff:100.100.100.200";
        check(Network::Internal, metadata, Err(Forbidden::Metadata));
        check(Network::Any, metadata, Err(Forbidden::Metadata));
    }

    #[test]
    fn translation_does_not_open_a_private_address() {
        let translated = "64:ff9b::7f00:1 64:ff9b::a00:1 2002:7f00:1:: 2002:c0a8:101::1 64:ff9b:1::a00:1 2001:0:1::1";
        check(Network::Internal, translated, Err(Forbidden::Translated));
        check(Network::Any, translated, Err(Forbidden::Translated));
    }

    #[test]
    fn what_is_no_host_is_never_reachable() {
        let none = "0.0.0.0 0.1.2.3 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 \
            198.51.100.1 203.0.113.1 :: ff02::1 fec0::1 2001:db8::1 ::7f00:1 100::1 ::ffff:0.0.0.0";
        check(Network::Internal, none, Err(Forbidden::NotAHost));
        check(Network::Any, none, Err(Forbidden::NotAHost));
    }
}
