//! Which files of a repository make a model. Pure.

use config::HubModel;

use crate::failure::Failure;

/// The files to fetch, of those that the repository has: the one that is asked for, its only GGUF file, or its
/// safetensors with configuration and tokenizer.
pub(super) fn choose(model: &HubModel, present: &[String]) -> Result<Vec<String>, Failure> {
    let repo = &model.repo;
    let ggufs: Vec<&String> = present.iter().filter(|name| name.ends_with(".gguf")).collect();
    if let Some(file) = &model.file {
        return match present.contains(file) {
            true => Ok(vec![file.clone()]),
            false => {
                Err(Failure::refused(format!("{repo} has no file {file}; it has {}", listed(&ggufs, "no GGUF file"))))
            }
        };
    }
    match ggufs[..] {
        [only] => return Ok(vec![only.clone()]),
        [] => {}
        [..] => {
            let ggufs = listed(&ggufs, "");
            return Err(Failure::usage(format!("{repo} has several GGUF files; name one, as in {repo}:FILE: {ggufs}")));
        }
    }
    let folder: Vec<String> = present.iter().filter(|name| is_of_a_folder(name)).cloned().collect();
    match folder.iter().any(|name| name.ends_with(".safetensors")) {
        true => Ok(folder),
        false => Err(Failure::refused(format!(
            "{repo} has neither a GGUF file nor model*.safetensors; is it the right one?"
        ))),
    }
}

/// What is read of a folder in Hugging Face's layout.
fn is_of_a_folder(name: &str) -> bool {
    ["config.json", "tokenizer.json", "tokenizer.model", "model.safetensors.index.json"].contains(&name)
        || (name.starts_with("model") && name.ends_with(".safetensors"))
}

fn listed(names: &[&String], none: &str) -> String {
    match names {
        [] => none.to_owned(),
        names => names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn check(asked: &str, present: &[&str], expected: Result<&[&str], &str>) {
        let present: Vec<String> = present.iter().map(|name| (*name).to_owned()).collect();
        match (choose(&asked.parse().unwrap(), &present), expected) {
            (Ok(chosen), Ok(expected)) => assert_eq!(chosen, expected),
            (Err(failure), Err(words)) => assert!(failure.to_string().contains(words), "{failure}"),
            (chosen, expected) => panic!("{chosen:?} is not {expected:?}"),
        }
    }

    #[test]
    fn a_file_that_is_asked_for_is_taken_if_it_is_there() {
        check("o/n:b.gguf", &["a.gguf", "b.gguf"], Ok(&["b.gguf"]));
        check("o/n:c.gguf", &["a.gguf", "b.gguf"], Err("it has a.gguf, b.gguf"));
        check("o/n:c.gguf", &["README.md"], Err("it has no GGUF file"));
    }

    #[test]
    fn a_single_gguf_file_needs_no_name() {
        check("o/n", &["README.md", "a.gguf", "model.safetensors"], Ok(&["a.gguf"]));
        check("o/n", &["a.gguf", "b.gguf"], Err("o/n:FILE: a.gguf, b.gguf"));
    }

    #[test]
    fn safetensors_come_with_what_belongs_to_them() {
        let shards = ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        let index = ["model.safetensors.index.json", "tokenizer.json"];
        let folder = [&shards[..], &index].concat();
        let present = [&folder[..], &["README.md", "consolidated.safetensors", "params.json"]].concat();
        check("o/n", &present, Ok(&folder));
        check("o/n", &["config.json", "pytorch_model.bin"], Err("neither"));
    }
}
