//! What every process that has tasks does for all of them: it delivers, and while it leads, it does what one must do.

use store::{Relay, RelaySettings};

use super::site::Site;
use super::tasks::Tasks;
use crate::service::Service;

pub(super) fn start(site: &Site, tasks: &Tasks) -> Vec<Service> {
    let relay = Relay::new(tasks.store.clone(), tasks.queue.clone(), RelaySettings::default());
    vec![Service::start("relay", &site.alarm, |stop| relay.run(stop.cancelled_owned()))]
}
