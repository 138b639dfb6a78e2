//! What a process of each role needs of the configuration. Pure.

use config::{Authentication, ModelSource, TalonConfig};
use types::ProcessRole;

/// Refuses what the role cannot run with, and says what to set.
pub(super) fn check(config: &TalonConfig, role: ProcessRole) -> Result<(), String> {
    match role {
        ProcessRole::All => Ok(()),
        ProcessRole::Api | ProcessRole::Worker => check_shared(config, role),
        ProcessRole::Engine => check_engine(config),
    }
}

/// Processes share tasks through servers only.
fn check_shared(config: &TalonConfig, role: ProcessRole) -> Result<(), String> {
    let missing = |server, variable, key| {
        format!("--role {role} shares its tasks with other processes through {server}: set {variable} or {key}")
    };
    if config.store.url.is_none() {
        return Err(missing("PostgreSQL", "TALON_DATABASE_URL", "store.url"));
    }
    if config.queue.url.is_none() {
        return Err(missing("Redis", "TALON_REDIS_URL", "queue.url"));
    }
    Ok(())
}

fn check_engine(config: &TalonConfig) -> Result<(), String> {
    let is_here = |source: &ModelSource| !matches!(source, ModelSource::Remote(_));
    if !config.models.iter().any(|model| is_here(&model.source)) {
        return Err(
            "--role engine has no model of its own: every one of models has a url; add one with path or hub".to_owned()
        );
    }
    if config.server.authentication == Authentication::Keys && config.server.admin_key.is_none() {
        return Err(
            "--role engine has no store to look keys up in: set TALON_ADMIN_KEY, and have those who ask it send \
                    that (api_key_env beside their url), or set server.authentication to none"
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use config::Environment;

    use super::*;

    #[track_caller]
    fn check_role(role: ProcessRole, text: &str, expected: Option<&str>) {
        let (config, _) = TalonConfig::parse("talon.yml", text, &Environment::from([("HOME", "/")]))
            .into_result()
            .expect("no mistakes");
        match (check(&config, role), expected) {
            (Ok(()), None) => {}
            (Err(said), Some(word)) => assert!(said.contains(word), "{said}"),
            (said, expected) => panic!("{role} with {text:?}: {said:?}, not {expected:?}"),
        }
    }

    #[test]
    fn one_process_alone_needs_nothing() {
        check_role(ProcessRole::All, "version: 1", None);
    }

    #[test]
    fn split_roles_need_both_servers() {
        const BOTH: &str = "store: {url: 'postgres://db/talon'}\nqueue: {url: 'redis://cache'}";
        for role in [ProcessRole::Api, ProcessRole::Worker] {
            check_role(role, "version: 1", Some("TALON_DATABASE_URL"));
            check_role(role, "store: {url: 'postgres://db/talon'}", Some("TALON_REDIS_URL"));
            check_role(role, BOTH, None);
        }
    }

    #[test]
    fn an_engine_has_models_and_knows_whom_it_serves() {
        check_role(ProcessRole::Engine, "version: 1", None);
        check_role(ProcessRole::Engine, "models: [{name: a, url: 'http://b/v1'}]", Some("path or hub"));
        check_role(ProcessRole::Engine, "server: {authentication: keys}", Some("TALON_ADMIN_KEY"));
    }
}
