//! A disk that fills.

use std::fs;
use std::io::ErrorKind;

use testbed::SmallDisk;

#[test]
fn a_full_disk_takes_nothing_until_it_is_cleared() {
    let disk = SmallDisk::of(1 << 20);
    disk.fill();
    let full = fs::write(disk.path().join("a"), [0; 5000]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    disk.clear();
    fs::write(disk.path().join("a"), [0; 5000]).unwrap();
}
