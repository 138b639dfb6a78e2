//! From `talon.yml` and the environment to a configuration.

use std::path::{Path, PathBuf};

use super::core::agents_count;
use super::server::admin_key;
use super::shape::LOG_LEVELS;
use super::state::{database_url, redis_url};
use super::{AgentsDir, Authentication, Environment, ModelSource, TalonConfig, file_shape};
use crate::diagnostics::{Diagnostic, Diagnostics, Loaded, Severity};
use crate::files;
use crate::shape::{Shape, choice};
use crate::source::{Report, Source};
use crate::yaml::Node;

/// Where the file is looked for when nobody names one.
const DEFAULT_FILE: &str = "config/talon.yml";

impl TalonConfig {
    /// Reads the file at `path`, else the one that `TALON_CONFIG` names, else `config/talon.yml` below the current
    /// folder, else nothing; then applies the environment. A file that was asked for and is not there is an error.
    pub fn load(path: Option<&Path>, environment: &Environment) -> Loaded<TalonConfig> {
        let asked = path.map(Path::to_owned).or_else(|| environment.get("TALON_CONFIG").map(PathBuf::from));
        let found = asked.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
        let loaded = match found.map(|path| (files::read(&path), path)) {
            Some((Ok(source), path)) => read(source, &path, environment),
            Some((Err(error), _)) => {
                Loaded { value: TalonConfig::defaults(environment), diagnostics: [*error].into_iter().collect() }
            }
            None => Loaded { value: TalonConfig::defaults(environment), diagnostics: Diagnostics::default() },
        };
        loaded.under(environment)
    }

    /// Reads a file's text without the environment's overrides. `file` is the name that diagnostics show; relative
    /// paths in the text are relative to its folder.
    pub fn parse(file: &str, text: &str, environment: &Environment) -> Loaded<TalonConfig> {
        read(Source::new(file, text), Path::new(file), environment)
    }
}

fn read(source: Source, path: &Path, environment: &Environment) -> Loaded<TalonConfig> {
    let mut report = Report::new(&source);
    files::refuse_secrets(&mut report);
    // A file of comments alone sets nothing, which is allowed.
    let node = if is_blank(&source.text) { None } else { Node::parse(&mut report) };
    let read = node.as_ref().and_then(|node| file_shape().read(node, &mut report));
    let value = match read {
        Some(config) => resolve(config, path.parent().unwrap_or(Path::new("")), environment),
        None => TalonConfig::defaults(environment),
    };
    Loaded { value, diagnostics: report.finish() }
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// Makes paths independent of the folder that the program is started in.
fn resolve(mut config: TalonConfig, base: &Path, environment: &Environment) -> TalonConfig {
    let absolute = |path: &Path| match (path.strip_prefix("~"), environment.get("HOME")) {
        (Ok(rest), Some(home)) => Path::new(home).join(rest),
        _ => base.join(path),
    };
    config.data_dir = match config.data_dir.as_os_str().is_empty() {
        true => environment.data_dir(),
        false => absolute(&config.data_dir),
    };
    if let Some(path) = &mut config.queue.authority {
        *path = absolute(path);
    }
    if let AgentsDir::Path(path) = &mut config.agents_dir {
        *path = absolute(path);
    }
    for model in &mut config.models {
        if let ModelSource::Path(path) = &mut model.source {
            *path = absolute(path);
        }
    }
    config
}

impl Loaded<TalonConfig> {
    /// Applies the variables that override the file.
    fn under(mut self, environment: &Environment) -> Self {
        if let Some(folder) = environment.get("TALON_DATA_DIR") {
            self.value.data_dir = PathBuf::from(folder);
        }
        if environment.get("HF_HUB_OFFLINE").is_some_and(is_yes) {
            self.value.offline = true;
        }
        if let Some(level) = variable("OPENCLAW_LOG_LEVEL", &choice(LOG_LEVELS), environment, &mut self.diagnostics) {
            self.value.log.level = level;
        }
        if let Some(max) = variable("OPENCLAW_MAX_AGENTS", &agents_count(), environment, &mut self.diagnostics) {
            let agents = &mut self.value.agents;
            agents.max_agents = max;
            if max < agents.warm_agents {
                let message =
                    format!("OPENCLAW_MAX_AGENTS is {max}: warm_agents is lowered from {}", agents.warm_agents);
                agents.warm_agents = max;
                self.diagnostics.push(about_environment(Severity::Warning, message, None));
            }
        }
        if let Some(url) = variable("TALON_DATABASE_URL", &database_url(), environment, &mut self.diagnostics) {
            self.value.store.url = Some(url);
        }
        if let Some(url) = variable("TALON_REDIS_URL", &redis_url(), environment, &mut self.diagnostics) {
            self.value.queue.url = Some(url);
        }
        match environment.get("TALON_ADMIN_KEY").map(admin_key) {
            None => {}
            Some(Err(problem)) => {
                let hint = Some("make one with: openssl rand -hex 32".to_owned());
                let message = format!("TALON_ADMIN_KEY is no key: {problem}");
                self.diagnostics.push(about_environment(Severity::Error, message, hint));
            }
            Some(Ok(_)) if self.value.server.authentication == Authentication::None => {
                let message = "TALON_ADMIN_KEY has no effect: server.authentication is none".to_owned();
                let hint = Some("set that to keys, or unset the variable".to_owned());
                self.diagnostics.push(about_environment(Severity::Warning, message, hint));
            }
            Some(Ok(key)) => self.value.server.admin_key = Some(key),
        }
        for (name, instead) in [
            ("OPENCLAW_MODEL_BACKEND", "the engine is part of this program; models are named in talon.yml"),
            (
                "OPENCLAW_STATE_STORE",
                "tasks are kept in SQLite below data_dir, or in PostgreSQL (TALON_DATABASE_URL); Redis (TALON_REDIS_URL) \
                 only orders them and wakes workers",
            ),
        ] {
            if environment.get(name).is_some() {
                let message = format!("{name} has no effect: {instead}");
                self.diagnostics.push(about_environment(Severity::Warning, message, Some("unset it".to_owned())));
            }
        }
        self
    }
}

/// What Hugging Face's own programs take for yes.
fn is_yes(text: &str) -> bool {
    ["1", "on", "yes", "true"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
}

/// A variable's value, read and limited as the file's key is.
fn variable<S: Shape>(
    name: &str,
    shape: &S,
    environment: &Environment,
    diagnostics: &mut Diagnostics,
) -> Option<S::Out> {
    let text = environment.get(name)?;
    let source = Source::new("environment", text);
    let mut report = Report::new(&source);
    let value = report.within(name, |report| shape.read(&Node::scalar(text), report));
    for said in report.finish().iter() {
        diagnostics.push(about_environment(said.severity, said.message.clone(), said.hint.clone()));
    }
    value
}

fn about_environment(severity: Severity, message: String, hint: Option<String>) -> Diagnostic {
    Source::new("environment", "").diagnostic(severity, None, message, hint)
}
