//! `talon.yml`: the shipped file, defaults, overrides.

use std::fs;
use std::path::{Path, PathBuf};

use config::{
    AgentsDir, Authentication, Environment, HubModel, LogLevel, ModelSource, RemoteKind, RemoteModel, TalonConfig,
};

use crate::lines;

const SHIPPED: &str = include_str!("../../talon.yml");

fn home() -> Environment {
    Environment::from([("HOME", "/home/op")])
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let loaded = TalonConfig::parse("config/talon.yml", SHIPPED, &home());
    assert_eq!(lines(&loaded.diagnostics), "");
    assert_eq!(loaded.value, TalonConfig::defaults(&home()));
}

#[test]
fn no_file_at_all_is_the_defaults() {
    assert!(!Path::new("config/talon.yml").exists(), "tests run in the crate's folder");
    let loaded = TalonConfig::load(None, &home());
    assert_eq!(lines(&loaded.diagnostics), "");
    assert_eq!(loaded.value, TalonConfig::defaults(&home()));
}

#[test]
fn a_file_of_comments_sets_nothing() {
    let loaded = TalonConfig::parse("talon.yml", "# nothing\n\n  # here\n", &home());
    assert_eq!(lines(&loaded.diagnostics), "");
    assert_eq!(loaded.value, TalonConfig::defaults(&home()));
}

#[test]
fn keys_that_are_left_out_keep_their_defaults() {
    let text = "openclaw_core: {agents: {max_agents: 7}}\nserver: {max_document_bytes: 1048576}";
    let config = TalonConfig::parse("talon.yml", text, &home()).into_result().unwrap().0;
    let mut expected = TalonConfig::defaults(&home());
    expected.agents.max_agents = 7;
    expected.server.max_document_bytes = 1 << 20;
    assert_eq!(config, expected);
}

#[test]
fn paths_are_relative_to_the_file_and_know_home() {
    let text = "data_dir: ~/data\nagents_dir: agents\nqueue: {authority: ca.pem}\nmodels: [{name: big, path: /models/big.gguf}, {name: own, path: own.gguf}]";
    let config = TalonConfig::parse("/etc/talon/talon.yml", text, &home()).into_result().unwrap().0;
    assert_eq!(config.store_path(), Path::new("/home/op/data/talon.db"));
    assert_eq!(config.agents_dir, AgentsDir::Path("/etc/talon/agents".into()));
    assert_eq!(config.queue.authority, Some("/etc/talon/ca.pem".into()));
    assert_eq!(config.models[0].source, ModelSource::Path("/models/big.gguf".into()));
    assert_eq!(config.models[1].source, ModelSource::Path("/etc/talon/own.gguf".into()));
}

#[test]
fn a_model_is_a_file_on_the_hub_or_behind_a_url() {
    let text = "models:\n\
        - {name: a, hub: {repo: org/a, file: q4/a.gguf, revision: v1.0}}\n\
        - {name: b, hub: {repo: org/b}}\n\
        - {name: c, url: 'http://gpu:8000/v1', model: org/c, kind: talon, api_key_env: KEY, context_tokens: 4096}\n\
        - {name: d, url: 'http://gpu:8000/v1'}\n";
    let config = TalonConfig::parse("talon.yml", text, &home()).into_result().unwrap().0;
    let sources: Vec<ModelSource> = config.models.into_iter().map(|model| model.source).collect();
    let hub = |repo: &str, file: Option<&str>, revision: &str| {
        let (repo, file, revision) = (repo.to_owned(), file.map(str::to_owned), revision.to_owned());
        ModelSource::Hub(HubModel { repo, file, revision })
    };
    let (url, kind) = ("http://gpu:8000/v1".to_owned(), RemoteKind::OpenAi);
    let plain = RemoteModel { url, model: "d".to_owned(), kind, api_key_env: None, context_tokens: None };
    let told = RemoteModel {
        model: "org/c".to_owned(),
        kind: RemoteKind::Talon,
        api_key_env: Some("KEY".to_owned()),
        context_tokens: Some(4096),
        ..plain.clone()
    };
    let expected = [
        hub("org/a", Some("q4/a.gguf"), "v1.0"),
        hub("org/b", None, "main"),
        ModelSource::Remote(told),
        ModelSource::Remote(plain),
    ];
    assert_eq!(sources, expected);
}

#[test]
fn either_the_file_or_the_environment_forbids_downloads() {
    let offline = |text: &str, variable: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("talon.yml");
        fs::write(&file, text).unwrap();
        TalonConfig::load(Some(&file), &Environment::from([("HF_HUB_OFFLINE", variable)]))
            .into_result()
            .unwrap()
            .0
            .offline
    };
    assert!(offline("offline: true", "") && offline("offline: true", "0"));
    assert!(offline("version: 1", "1") && offline("version: 1", "True"));
    assert!(!offline("version: 1", "") && !offline("version: 1", "0"));
}

#[test]
fn state_lives_where_the_environment_says() {
    let data_dir = |environment: &Environment| TalonConfig::defaults(environment).data_dir;
    assert_eq!(data_dir(&home()), PathBuf::from("/home/op/.local/share/talon"));
    assert_eq!(data_dir(&[("HOME", "/home/op"), ("XDG_DATA_HOME", "/data")].into()), PathBuf::from("/data/talon"));
}

#[test]
fn the_environment_overrides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.yml");
    fs::write(&file, "log: {level: warn}\nopenclaw_core: {agents: {max_agents: 7}}\ndata_dir: /from/file").unwrap();
    let environment = Environment::from([
        ("TALON_CONFIG", file.to_str().unwrap()),
        ("TALON_DATA_DIR", "/from/environment"),
        ("OPENCLAW_MAX_AGENTS", "10"),
        ("OPENCLAW_LOG_LEVEL", "debug"),
    ]);
    let (config, said) = TalonConfig::load(None, &environment).into_result().unwrap();
    assert_eq!(lines(&said), "");
    assert_eq!(config.agents.max_agents, 10);
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.data_dir, Path::new("/from/environment"));
}

#[test]
fn a_wrong_variable_is_named() {
    let environment = Environment::from([
        ("OPENCLAW_MAX_AGENTS", "0"),
        ("OPENCLAW_LOG_LEVEL", "inof"),
        ("OPENCLAW_MODEL_BACKEND", "vllm"),
        ("TALON_CONFIG", "/nowhere/talon.yml"),
    ]);
    let loaded = TalonConfig::load(None, &environment);
    assert!(loaded.diagnostics.is_error());
    assert_eq!(
        lines(&loaded.diagnostics),
        "\
/nowhere/talon.yml: error: cannot be read: No such file or directory (os error 2)
environment: error: OPENCLAW_LOG_LEVEL is the text \"inof\"; expected one of error, warn, info, debug, trace; \
did you mean info?
environment: error: OPENCLAW_MAX_AGENTS is 0; it must be 1 to 512
environment: warning: OPENCLAW_MODEL_BACKEND has no effect: the engine is part of this program; models are named in \
talon.yml; unset it
"
    );
}

#[test]
fn fewer_agents_than_warm_ones_lower_the_warm_ones() {
    let environment = Environment::from([("OPENCLAW_MAX_AGENTS", "2")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("talon.yml");
    fs::write(&file, "version: 1").unwrap();
    let (config, said) = TalonConfig::load(Some(&file), &environment).into_result().unwrap();
    assert_eq!((config.agents.max_agents, config.agents.warm_agents), (2, 2));
    assert_eq!(lines(&said), "environment: warning: OPENCLAW_MAX_AGENTS is 2: warm_agents is lowered from 5\n");
}

#[test]
fn loopback_and_only_loopback_needs_no_word() {
    let listen = |text: &str| TalonConfig::parse("talon.yml", text, &home()).diagnostics.is_error();
    assert!(!listen("server: {listen: '127.0.0.2:8400'}"));
    assert!(!listen("server: {listen: '[::1]:8400'}"));
    assert!(listen("server: {listen: '0.0.0.0:8400'}"));
    assert!(listen("server: {listen: '[::]:8400'}"));
    assert!(listen("server: {listen: '192.168.1.5:8400'}"));
    assert!(!listen("server: {listen: '0.0.0.0:8400', dangerously_listen_beyond_loopback: true}"));
    assert!(!listen("server: {listen: '0.0.0.0:8400', authentication: keys}"));
}

#[test]
fn servers_are_named_in_the_file_or_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("talon.yml");
    let text = "store: {url: 'postgres://talon@db/talon'}\nqueue: {url: 'redis+sentinel://a:26379,b:26379/main'}\n\
                server: {authentication: keys}";
    fs::write(&file, text).unwrap();
    let load = |environment| TalonConfig::load(Some(&file), &environment).into_result().unwrap();
    let urls = |config: &TalonConfig| {
        [config.store.url.as_ref(), config.queue.url.as_ref()].map(|url| url.unwrap().exposed().to_owned())
    };
    let (config, said) = load(home());
    assert_eq!(lines(&said), "");
    assert_eq!(urls(&config), ["postgres://talon@db/talon", "redis+sentinel://a:26379,b:26379/main"]);
    assert_eq!((config.server.authentication, config.server.admin_key), (Authentication::Keys, None));

    let (config, said) = load(Environment::from([
        ("TALON_DATABASE_URL", "postgresql://talon:hunter2@other/talon"),
        ("TALON_REDIS_URL", "rediss://talon:hunter2@other"),
        ("TALON_ADMIN_KEY", "0123456789abcdef0123456789abcdef"),
    ]));
    assert_eq!(lines(&said), "");
    assert_eq!(urls(&config), ["postgresql://talon:hunter2@other/talon", "rediss://talon:hunter2@other"]);
    assert_eq!(config.server.admin_key.as_ref().unwrap().exposed(), "0123456789abcdef0123456789abcdef");
    let shown = format!("{config:?}{}", serde_json::to_string(&config).unwrap());
    assert!(shown.contains("talon:***@other"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("0123456789"), "{shown}");
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_it() {
    let environment = Environment::from([
        ("TALON_DATABASE_URL", "talon:hunter2@db/talon"),
        ("TALON_REDIS_URL", "http://talon:hunter2@cache"),
        ("TALON_ADMIN_KEY", "hunter2"),
        ("OPENCLAW_STATE_STORE", "redis"),
    ]);
    let loaded = TalonConfig::load(None, &environment);
    assert_eq!(
        lines(&loaded.diagnostics),
        "\
environment: error: TALON_DATABASE_URL is not an address of a server; write it as postgres://user@host:5432/database
environment: error: TALON_REDIS_URL has another scheme than redis, rediss, redis+sentinel, rediss+sentinel, \
redis+cluster, rediss+cluster; write it as redis://host:6379, rediss:// with TLS, \
redis+sentinel://host:26379,host:26379/name or redis+cluster://host,host
environment: error: TALON_ADMIN_KEY is no key: it must have 32 characters or more, and no spaces; make one with: \
openssl rand -hex 32
environment: warning: OPENCLAW_STATE_STORE has no effect: tasks are kept in SQLite below data_dir, or in PostgreSQL \
(TALON_DATABASE_URL); Redis (TALON_REDIS_URL) only orders them and wakes workers; unset it
"
    );
}

#[test]
fn a_key_that_nobody_asks_for_is_told() {
    let environment = Environment::from([("TALON_ADMIN_KEY", "0123456789abcdef0123456789abcdef")]);
    let (config, said) = TalonConfig::load(None, &environment).into_result().unwrap();
    assert_eq!(config.server.admin_key, None);
    assert!(lines(&said).contains("server.authentication is none"), "{}", lines(&said));
}

#[test]
fn null_keeps_for_ever() {
    let text = "retention: {succeeded_days: 1, failed_days: null, dead_days: 365}";
    let kept = TalonConfig::parse("talon.yml", text, &home()).into_result().unwrap().0.retention;
    let days = |days: u64| Some(std::time::Duration::from_secs(86_400 * days));
    assert_eq!((kept.succeeded, kept.failed, kept.cancelled, kept.dead), (days(1), None, days(30), days(365)));
}

#[test]
fn one_worker_is_left_to_tasks_that_nobody_waits_for() {
    let slots = |text: &str| {
        let config = TalonConfig::parse("talon.yml", text, &home()).into_result().unwrap().0;
        config.reserved_interactive_slots()
    };
    assert_eq!(slots("version: 1"), 1);
    assert_eq!(slots("openclaw_core: {agents: {max_agents: 1, warm_agents: 1}}"), 0);
    assert_eq!(slots("queue: {reserved_interactive_slots: 4}"), 4);
}
