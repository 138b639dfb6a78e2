//! `docker-compose.yml`, without an engine: the specification's schema, and what the file promises beyond it.

use serde_json::Value;

use crate::yaml;

const FILE: &str = "docker-compose.yml";

fn compose() -> Value {
    yaml::read(FILE)
}

/// Asserts something of each service; `hold` says what is wrong with it.
#[track_caller]
fn every_service(hold: impl Fn(&Value) -> Result<(), String>) {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert!(!services.is_empty());
    let wrong: Vec<String> =
        services.iter().filter_map(|(name, it)| Some(format!("{name}: {}", hold(it).err()?))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned)).collect()
}

/// Every text in a value.
fn leaves(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(fields) => fields.values().flat_map(leaves).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_compose_file_follows_the_specification() {
    let schema = serde_json::from_str(include_str!("schema/compose-spec.json")).unwrap();
    let compose = compose();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&compose).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn the_services_of_one_machine_are_there() {
    let compose = compose();
    let mut names: Vec<&str> = compose["services"].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["api", "engine", "grafana", "postgres", "prometheus", "redis", "toolserver", "vllm", "worker"];
    assert_eq!(names, expected);
}

#[test]
fn every_image_is_pinned_by_an_exact_tag() {
    every_service(|service| {
        let image = service["image"].as_str().ok_or("no image")?;
        // A name with a default, as `${TALON_IMAGE:-talon:0.1.0}` is.
        let image = image.strip_prefix("${TALON_IMAGE:-").and_then(|it| it.strip_suffix('}')).unwrap_or(image);
        let (_, tag) = image.rsplit_once(':').ok_or(format!("{image} has no tag"))?;
        let numbers = tag.trim_start_matches('v').split(['.', '-']).take_while(|part| part.parse::<u32>().is_ok());
        ensure(numbers.count() >= 2, format!("{image} moves"))
    });
}

#[test]
fn every_service_has_a_healthcheck_and_comes_back() {
    every_service(|service| {
        ensure(!service["healthcheck"]["test"].is_null(), "no healthcheck")?;
        ensure(service["restart"] == "unless-stopped", "does not come back")
    });
}

#[test]
fn every_service_has_limits() {
    every_service(|service| {
        let limits = &service["deploy"]["resources"]["limits"];
        for limit in ["cpus", "memory", "pids"] {
            ensure(!limits[limit].is_null(), format!("no limit of {limit}"))?;
        }
        ensure(!service["logging"]["options"]["max-size"].is_null(), "logs without an end")
    });
}

#[test]
fn every_service_is_unprivileged_and_reads_only() {
    every_service(|service| {
        ensure(service["read_only"] == true, "its root can be written")?;
        ensure(texts(&service["cap_drop"]) == ["ALL"], "keeps capabilities")?;
        ensure(texts(&service["security_opt"]) == ["no-new-privileges:true"], "may gain privileges")?;
        ensure(service["privileged"].is_null(), "is privileged")
    });
}

#[test]
fn nothing_is_published_beyond_loopback() {
    every_service(|service| {
        texts(&service["ports"]).iter().try_for_each(|port| ensure(port.starts_with("127.0.0.1:"), port.clone()))
    });
    let compose = compose();
    let published = compose["services"].as_object().unwrap().iter().filter(|(_, it)| !it["ports"].is_null());
    assert_eq!(published.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["api", "prometheus", "grafana"]);
}

#[test]
fn only_what_publishes_a_port_or_sends_webhooks_has_a_way_out() {
    let compose = compose();
    for network in ["inside", "tools"] {
        assert_eq!(compose["networks"][network]["internal"], true, "{network}");
    }
    let networks = |service: &Value| match &service["networks"] {
        Value::Object(named) => named.keys().cloned().collect(),
        list => texts(list),
    };
    every_service(|service| ensure(!networks(service).is_empty(), "is in the default network"));
    let services = compose["services"].as_object().unwrap().iter();
    let outside = services.filter(|(_, service)| networks(service).contains(&"outside".to_owned()));
    let outside: Vec<&str> = outside.map(|(name, _)| name.as_str()).collect();
    assert_eq!(outside, ["api", "worker", "prometheus", "grafana"]);
}

#[test]
fn secrets_come_from_the_environment_and_must_be_set() {
    let example = std::fs::read_to_string(yaml::shipped(".env.example")).unwrap();
    let text = std::fs::read_to_string(yaml::shipped(FILE)).unwrap();
    for secret in
        ["PG_PASSWORD", "REDIS_PASSWORD", "GRAFANA_PASSWORD", "TALON_ADMIN_KEY", "ENGINE_KEY", "TALON_WEBHOOK_SECRET"]
    {
        assert!(example.contains(&format!("\n{secret}=\n")), "{secret} has a value in .env.example");
        assert_eq!(
            text.matches(&format!("${{{secret}")).count(),
            text.matches(&format!("${{{secret}:?")).count(),
            "{secret}"
        );
    }
}

#[test]
fn every_variable_is_in_the_example_of_the_environment() {
    let (compose, example) = (compose(), std::fs::read_to_string(yaml::shipped(".env.example")).unwrap());
    for name in leaves(&compose).iter().flat_map(|text| text.split("${").skip(1)) {
        let name = name.split([':', '}']).next().unwrap();
        assert!(example.lines().any(|line| line.starts_with(&format!("{name}="))), "{name} is not in .env.example");
    }
}

#[test]
fn every_mounted_file_is_in_the_repository() {
    every_service(|service| {
        texts(&service["volumes"]).iter().try_for_each(|volume| {
            let from = volume.replace("${COMPOSE_PROFILES:-cpu}", "cpu");
            let from = from.split(':').next().unwrap_or_default();
            // The key of Prometheus is made by deploy/init.sh.
            let ours = from.starts_with("./") && !from.starts_with("./deploy/secrets/");
            ensure(!ours || yaml::shipped(from).exists(), format!("{from} is missing"))
        })
    });
}

#[test]
fn what_the_gpu_profile_adds_waits_for_a_gpu_and_nothing_else_does() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        let devices = &service["deploy"]["resources"]["reservations"]["devices"];
        assert_eq!(name == "vllm", !devices.is_null(), "{name}");
    }
    assert_eq!(texts(&compose["services"]["vllm"]["profiles"]), ["gpu"]);
    assert_eq!(texts(&compose["services"]["engine"]["profiles"]), ["cpu"]);
    // A worker waits for the one of them that its profile starts.
    for model in ["vllm", "engine"] {
        assert_eq!(compose["services"]["worker"]["depends_on"][model]["required"], false, "{model}");
    }
}

/// The configuration of a container, as a process there reads it.
#[track_caller]
fn configuration(file: &str) -> config::TalonConfig {
    let text = std::fs::read_to_string(yaml::shipped(file)).unwrap();
    let key = "0123456789abcdef0123456789abcdef";
    let given = [
        ("TALON_DATABASE_URL", "postgres://talon:secret@postgres:5432/talon"),
        ("TALON_REDIS_URL", "redis://:secret@redis:6379"),
        ("TALON_ADMIN_KEY", key),
        ("ENGINE_KEY", key),
    ];
    let loaded = config::TalonConfig::parse(file, &text, &given.into());
    let (config, _) = loaded.into_result().unwrap_or_else(|wrong| panic!("{wrong}"));
    config
}

#[test]
fn the_configuration_of_each_container_is_valid() {
    for file in ["deploy/talon/cpu.yml", "deploy/talon/gpu.yml", "deploy/talon/engine.yml"] {
        let config = configuration(file);
        assert_eq!(config.server.authentication, config::Authentication::Keys, "{file}");
    }
}
