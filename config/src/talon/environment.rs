//! The environment as a value, so that reading it can be tested.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables and their values.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; those that are not Unicode are left out.
    pub fn of_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment(std::env::vars_os().filter_map(unicode).collect())
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Where state lives unless `data_dir` or `TALON_DATA_DIR` says otherwise.
    pub(crate) fn data_dir(&self) -> PathBuf {
        match (self.get("XDG_DATA_HOME"), self.get("HOME")) {
            (Some(data), _) => PathBuf::from(data).join("talon"),
            (None, Some(home)) => PathBuf::from(home).join(".local/share/talon"),
            (None, None) => PathBuf::from("talon-data"),
        }
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}
