//! A certificate authority for one test and a certificate of it for 127.0.0.1 and localhost.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::installed;
use crate::process::output;

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";

#[derive(Clone, Debug)]
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    pub(crate) fn make(folder: &Path) -> Self {
        let openssl = |arguments: String| {
            output(
                Command::new(installed("openssl", "openssl")).args(arguments.split_whitespace()).current_dir(folder),
            );
        };
        openssl(format!("req -x509 {NEW_KEY} -subj /CN=testbed -keyout ca.key -out ca.crt"));
        openssl(format!(
            "req -x509 {NEW_KEY} -CA ca.crt -CAkey ca.key -subj /CN=localhost -keyout server.key -out server.crt \
             -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
        ));
        let file = |name| folder.join(name);
        Certificates { authority: file("ca.crt"), certificate: file("server.crt"), key: file("server.key") }
    }
}
