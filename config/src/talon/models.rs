//! The models that agents may name, and where each of them is.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::shape::BUNDLED;
use crate::endpoint::endpoint;
use crate::shape::{Fields, Shape, Show, choice, object, parsed, text, whole};

/// A model that agents may name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSpec {
    /// Its name in agents' files and in the API.
    pub name: String,
    /// Where it is.
    pub source: ModelSource,
}

/// Where a model is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelSource {
    /// Compiled into the binary: the pocket model, for demonstration.
    Bundled,
    /// Weights on this machine: a GGUF file, or a folder in Hugging Face's layout.
    Path(PathBuf),
    /// Weights on the Hugging Face hub, or on a mirror of it.
    Hub(HubModel),
    /// Behind HTTP: an OpenAI-compatible server computes it.
    Remote(RemoteModel),
}

/// Weights on the Hugging Face hub.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct HubModel {
    /// `organisation/name`.
    pub repo: String,
    /// A GGUF file of it. Without one, its only GGUF file, or its safetensors with what belongs to them.
    pub file: Option<String>,
    /// A branch, a tag or a commit.
    pub revision: String,
}

/// A model that an OpenAI-compatible server computes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemoteModel {
    /// What `/chat/completions` is appended to.
    pub url: String,
    /// Its name on that server.
    pub model: String,
    /// What the server understands.
    pub kind: RemoteKind,
    /// The variable of the environment that holds the server's key.
    pub api_key_env: Option<String>,
    /// Tokens of prompt and reply together; without it the server is asked at the start.
    pub context_tokens: Option<usize>,
}

/// What a server understands beyond OpenAI's own interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    /// Nothing: vLLM, llama-server, any other.
    OpenAi,
    /// Priority, deadline, the tenant's salt, and `/tokenize`: another Talon.
    Talon,
}

/// `organisation/name` or `organisation/name:file`, of the branch `main`.
impl FromStr for HubModel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repo, file) = text.split_once(':').map_or((text, None), |(repo, file)| (repo, Some(file)));
        check_repo(repo)?;
        file.map_or(Ok(()), check_name)?;
        Ok(HubModel { repo: repo.to_owned(), file: file.map(str::to_owned), revision: MAIN.to_owned() })
    }
}

impl HubModel {
    /// Whether a file's name, joined to a URL or a path, stays below it.
    pub fn is_file_name(name: &str) -> bool {
        check_name(name).is_ok()
    }
}

const MAIN: &str = "main";

/// An element of `models`.
pub(super) fn model(fields: &mut Fields<'_, '_>) -> Option<ModelSpec> {
    const PLACES: [&str; 3] = ["path", "hub", "url"];
    let name = fields.required("name", "what agents and callers call it", text());
    let path = fields.optional(
        "path",
        "weights on this machine: a GGUF file, a folder in Hugging Face's layout, or \"bundled\" for the pocket model",
        model_path(),
    );
    let hub = fields.optional("hub", "weights on the Hugging Face hub, fetched once and kept", object(hub));
    let remote = remote(fields, name.as_deref());
    let places: Vec<&str> = PLACES.into_iter().filter(|key| fields.has(key)).collect();
    match places[..] {
        [_] => {}
        [] => fields.error(
            "name",
            |path| format!("{path} does not say where the model is"),
            "add path: (a file, a folder or bundled), hub: (a repository) or url: (a server)",
        ),
        [first, second, ..] => fields.error(
            second,
            |path| format!("{path} says twice where the model is: {first} and {second}"),
            "keep one of them",
        ),
    }
    Some(ModelSpec { name: name?, source: path.or(hub.map(ModelSource::Hub)).or(remote.map(ModelSource::Remote))? })
}

fn hub(fields: &mut Fields<'_, '_>) -> Option<HubModel> {
    let repo = fields.required("repo", "the repository, as organisation/name", checked(check_repo));
    let file = fields.optional(
        "file",
        "a GGUF file of it; without one, its only GGUF file, or its safetensors with what belongs to them",
        checked(check_name),
    );
    let revision = fields.or("revision", "a branch, a tag or a commit", checked(check_name), MAIN.to_owned());
    Some(HubModel { repo: repo?, file, revision })
}

/// The keys of a model behind HTTP, which stand beside `url`.
fn remote(fields: &mut Fields<'_, '_>, name: Option<&str>) -> Option<RemoteModel> {
    const KINDS: &[(&str, RemoteKind)] = &[("openai", RemoteKind::OpenAi), ("talon", RemoteKind::Talon)];
    let url = fields.optional("url", "an OpenAI-compatible server, such as http://127.0.0.1:8000/v1", endpoint());
    let model = fields.optional("model", "its name on that server; the same as here when absent", text());
    let kind = fields.or(
        "kind",
        "talon for another Talon, which is told priority, deadline and tenant; openai for any other server",
        choice(KINDS),
        RemoteKind::OpenAi,
    );
    let api_key_env =
        fields.optional("api_key_env", "the variable of the environment that holds the server's key", variable_name());
    let context_tokens = fields.optional(
        "context_tokens",
        "tokens of prompt and reply together; without it the server is asked at the start",
        whole(256..=1 << 24),
    );
    if !fields.has("url") {
        for key in ["model", "kind", "api_key_env", "context_tokens"] {
            if fields.has(key) {
                let message = |path: &str| format!("{path}.{key} says something of a server, but there is no url");
                fields.error(key, message, "add url:, or take the key out");
            }
        }
    }
    let model = model.or(name.map(str::to_owned))?;
    Some(RemoteModel { url: url?, model, kind, api_key_env, context_tokens })
}

/// The name of a variable of the environment.
pub(super) fn variable_name() -> impl Show<Out = String> {
    parsed(json!({"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}), |text| match is_variable(text) {
        true => Ok(text.to_owned()),
        false => Err(("not a variable's name".to_owned(), "name the variable, not its value".to_owned())),
    })
}

fn is_variable(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn model_path() -> impl Shape<Out = ModelSource> {
    parsed(json!({}), |text| {
        Ok(if text == BUNDLED { ModelSource::Bundled } else { ModelSource::Path(PathBuf::from(text)) })
    })
}

/// A text that `check` has nothing against.
fn checked(check: fn(&str) -> Result<(), String>) -> impl Show<Out = String> {
    parsed(json!({"pattern": "^[A-Za-z0-9_][A-Za-z0-9._+/-]*$"}), move |text| {
        check(text).map(|()| text.to_owned()).map_err(|problem| (problem, String::new()))
    })
}

fn check_repo(text: &str) -> Result<(), String> {
    match check_name(text) {
        Ok(()) if text.split('/').count() == 2 => Ok(()),
        _ => Err("a repository is written as organisation/name".to_owned()),
    }
}

/// Names of the hub become parts of URLs and of paths: nothing may lead out of its place in either.
fn check_name(text: &str) -> Result<(), String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && !part.starts_with(['.', '-', '+']) && part.bytes().all(is_plain);
    match text.split('/').all(is_part) {
        true => Ok(()),
        false => {
            Err("a name here has letters, digits and . _ - + in it, and no part that begins with . - +".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, Option<&str>)>) {
        let expected = expected.map(|(repo, file)| HubModel {
            repo: repo.to_owned(),
            file: file.map(str::to_owned),
            revision: "main".to_owned(),
        });
        assert_eq!(text.parse().ok(), expected, "{text}");
    }

    #[test]
    fn a_repository_and_a_file_are_told_apart() {
        check("org/name", Some(("org/name", None)));
        check("org/name-7B.v0_3:q4/model-Q4_K_M.gguf", Some(("org/name-7B.v0_3", Some("q4/model-Q4_K_M.gguf"))));
    }

    #[test]
    fn nothing_leads_out_of_its_place() {
        for text in [
            "",
            "name",
            "org/name/more",
            "org/",
            "/name",
            "../name",
            "org/..",
            "org/name:",
            "org/name:/etc/passwd",
            "org/name:../x.gguf",
            "org/name:a//b",
            "org/name:a/./b",
            "org/na me",
            "org/name:x?y",
            "org/name:a%2F",
            "o\\g/n",
        ] {
            check(text, None);
        }
    }
}
