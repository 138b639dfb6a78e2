//! `talon model pull` and models of the hub in `talon.yml`: fetched once, over broken connections, and held to what came
//! first.

use std::path::PathBuf;

use serde_json::Value;

use crate::api::Api;
use crate::home::{Home, Ran, shipped};
use crate::hub::{Hub, PRIVATE, TOKEN, digest};
use crate::server::Server;

const POCKET: &str = "org/pocket:pocket.gguf";
const SETTINGS: &str = "models: [{name: pocket, hub: {repo: org/pocket, file: pocket.gguf}}]\n";

fn pocket() -> Vec<u8> {
    std::fs::read(shipped("models/pocket/pocket.gguf")).unwrap()
}

fn hub() -> Hub {
    Hub::start([("pocket.gguf", pocket()), ("README.md", b"# Pocket".to_vec())])
}

fn pull(home: &Home, hub: &Hub, arguments: &[&str]) -> Ran {
    let mut command = home.command(&[&["model", "pull"], arguments].concat());
    Ran::of(command.env("HF_ENDPOINT", &hub.url))
}

/// The first pulled model of `--json`.
fn first(ran: Ran) -> Value {
    ran.ok().json()[0].clone()
}

/// Where its bytes are: what lies in the snapshot leads there.
fn path(pulled: &Value) -> PathBuf {
    std::fs::canonicalize(pulled["path"].as_str().unwrap()).unwrap()
}

#[test]
fn a_pulled_file_is_pinned_and_not_asked_for_again() {
    let (home, hub) = (Home::new(), hub());
    let pulled = first(pull(&home, &hub, &[POCKET, "--json"]));
    assert_eq!(std::fs::read(path(&pulled)).unwrap(), pocket());
    let file = &pulled["files"][0];
    assert_eq!((&file["sha256"], &file["file"]), (&digest(&pocket()).into(), &"pocket.gguf".into()));
    let lock = std::fs::read_to_string(home.data_dir().join("models/models.lock")).unwrap();
    assert!(lock.contains(&digest(&pocket())) && lock.contains("org/pocket"), "{lock}");

    let asked = hub.num_requests();
    let again = first(pull(&home, &hub, &[POCKET, "--json"]));
    assert_eq!((&again, hub.num_requests()), (&pulled, asked));

    let table = pull(&home, &hub, &[POCKET]).ok().stdout;
    assert!(table.contains(&digest(&pocket())) && table.contains("snapshots"), "{table}");
}

#[test]
fn a_download_goes_on_where_it_broke() {
    let (home, hub) = (Home::new(), hub());
    hub.break_after(&[1 << 20, 2 << 20]);
    let ran = pull(&home, &hub, &[POCKET, "--json"]);
    ran.says(0, &["going on from 1 MiB", "going on from 3 MiB"]);
    assert_eq!(hub.downloads(), [0, 1 << 20, 3 << 20]);
    assert_eq!(std::fs::read(path(&ran.json()[0])).unwrap(), pocket());
}

#[test]
fn a_download_that_gets_nowhere_ends_and_the_next_pull_goes_on() {
    let (home, hub) = (Home::new(), hub());
    hub.break_after(&[1 << 20, 0]);
    pull(&home, &hub, &[POCKET]).says(3, &["pocket.gguf", "1 of 5 MiB are kept"]);
    let pulled = first(pull(&home, &hub, &[POCKET, "--json"]));
    assert_eq!(hub.downloads(), [0, 1 << 20, 1 << 20]);
    assert_eq!(std::fs::read(path(&pulled)).unwrap(), pocket());
}

#[test]
fn another_file_under_the_same_name_is_refused_until_it_is_accepted() {
    let (home, hub) = (Home::new(), hub());
    let pulled = first(pull(&home, &hub, &[POCKET, "--json"]));
    let other = [pocket(), vec![0]].concat();
    hub.put("org/pocket", "pocket.gguf", other.clone());
    // What is here stays good.
    pull(&home, &hub, &[POCKET]).ok();
    std::fs::remove_dir_all(home.data_dir().join("models/hub")).unwrap();
    let (was, is) = (digest(&pocket()), digest(&other));
    pull(&home, &hub, &[POCKET]).says(1, &[&was, &is, "talon model pull org/pocket:pocket.gguf --update"]);
    pull(&home, &hub, &[POCKET]).says(1, &[&was, &is, "--update"]);
    let accepted = first(pull(&home, &hub, &[POCKET, "--json", "--update"]));
    assert_eq!((&accepted["files"][0]["sha256"], &accepted["path"]), (&is.into(), &pulled["path"]));
    pull(&home, &hub, &[POCKET]).ok();
}

#[test]
fn a_pin_holds_the_commit_and_an_update_takes_the_newest() {
    let (home, hub) = (Home::new(), hub());
    let pulled = first(pull(&home, &hub, &[POCKET, "--json"]));
    let newer = "deadbeef".repeat(5);
    hub.commit(&newer);
    assert_eq!(first(pull(&home, &hub, &[POCKET, "--json"])), pulled);
    let updated = first(pull(&home, &hub, &[POCKET, "--json", "--update"]));
    assert_eq!((&updated["commit"], &updated["files"]), (&newer.into(), &pulled["files"]));
}

#[test]
fn a_file_that_was_changed_here_is_not_loaded() {
    let (home, hub) = (Home::new(), hub());
    let pulled = first(pull(&home, &hub, &[POCKET, "--json"]));
    let mut changed = pocket();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(path(&pulled), &changed).unwrap();
    let (was, is) = (digest(&pocket()), digest(&changed));
    let config = home.write("talon.yml", SETTINGS);
    let serve = ["serve", "--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    home.run(&serve).says(1, &["model pocket", &was, &is, "--update"]);
    pull(&home, &hub, &[POCKET]).says(1, &[&was, &is]);
    pull(&home, &hub, &[POCKET, "--update"]).ok();
    assert_eq!(std::fs::read(path(&pulled)).unwrap(), pocket());
}

#[test]
fn what_comes_is_held_to_what_was_announced() {
    let (home, hub) = (Home::new(), hub());
    hub.break_after(&[1 << 20, 0]);
    pull(&home, &hub, &[POCKET]).says(3, &["kept"]);
    let blobs = home.data_dir().join("models/hub/models--org--pocket/blobs");
    let part = blobs.join(format!("{}.part", digest(&pocket())));
    let mut spoilt = std::fs::read(&part).unwrap();
    spoilt[0] ^= 1;
    std::fs::write(&part, spoilt).unwrap();
    pull(&home, &hub, &[POCKET]).says(3, &["announced", &digest(&pocket()), "thrown away"]);
    let pulled = first(pull(&home, &hub, &[POCKET, "--json"]));
    assert_eq!(std::fs::read(path(&pulled)).unwrap(), pocket());
}

#[test]
fn offline_forbids_to_fetch_and_allows_to_use() {
    let (home, hub) = (Home::new(), hub());
    let config = home.write("talon.yml", format!("offline: true\n{SETTINGS}"));
    let config = ["--config", config.to_str().unwrap()];
    pull(&home, &hub, &config).says(3, &["org/pocket:pocket.gguf", "offline", "talon model pull"]);
    let mut command = home.command(&["model", "pull", POCKET]);
    Ran::of(command.env("HF_ENDPOINT", &hub.url).env("HF_HUB_OFFLINE", "1")).says(3, &["offline"]);
    assert_eq!(hub.num_requests(), 0);
    pull(&home, &hub, &[POCKET]).ok();
    let asked = hub.num_requests();
    pull(&home, &hub, &config).ok();
    assert_eq!(hub.num_requests(), asked);
}

#[test]
fn what_the_hub_refuses_is_said_with_what_to_do() {
    let (home, hub) = (Home::new(), hub());
    hub.put(PRIVATE, "private.gguf", pocket());
    pull(&home, &hub, &[PRIVATE]).says(4, &[PRIVATE, "401", "HF_TOKEN"]);
    let mut command = home.command(&["model", "pull", PRIVATE]);
    Ran::of(command.env("HF_ENDPOINT", &hub.url).env("HF_TOKEN", TOKEN)).ok();
    pull(&home, &hub, &["org/absent"]).says(4, &["org/absent", "404"]);
    pull(&home, &hub, &["org/pocket:absent.gguf"]).says(4, &["absent.gguf", "pocket.gguf"]);
    hub.put("org/pocket", "second.gguf", b"GGUF".to_vec());
    pull(&home, &hub, &["org/pocket"]).says(2, &["pocket.gguf, second.gguf", "org/pocket:FILE"]);
    pull(&home, &hub, &["nowhere"]).says(2, &["nowhere", "organisation/name"]);
    pull(&home, &hub, &[]).says(2, &["hub:"]);
}

#[test]
fn an_absent_hub_ends_with_3() {
    let home = Home::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = home.command(&["model", "pull", POCKET]);
    let url = format!("http://{free}");
    Ran::of(command.env("HF_ENDPOINT", &url)).says(3, &[&url, "org/pocket"]);
}

#[test]
fn a_folder_comes_whole() {
    let home = Home::new();
    let hub = Hub::start([("README.md", b"# A folder".to_vec())]);
    let folder = shipped("inference/tests/fixtures/mistral/windowed");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        hub.put("org/pocket", name, std::fs::read(folder.join(name)).unwrap());
    }
    hub.hide_digests();
    let pulled = first(pull(&home, &hub, &["org/pocket", "--json"]));
    assert_eq!(pulled["files"].as_array().unwrap().len(), 3);
    home.run(&["model", "inspect", pulled["path"].as_str().unwrap()]).ok();
}

#[test]
fn a_lock_that_is_not_understood_is_named() {
    let (home, hub) = (Home::new(), hub());
    for lock in ["{", r#"{"version": 2, "models": []}"#] {
        home.write("data/models/models.lock", lock);
        pull(&home, &hub, &[POCKET]).says(2, &["models.lock", "delete it"]);
    }
}

#[tokio::test]
async fn a_server_fetches_what_it_lacks_and_has_several_models() {
    let (home, hub) = (Home::new(), hub());
    let second = "  - {name: second, path: bundled}\n";
    let settings = format!("models:\n  - {{name: pocket, hub: {{repo: org/pocket, file: pocket.gguf}}}}\n{second}");
    let config = home.write("talon.yml", settings);
    let mut command = home.command(&["serve", "--config", config.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    command.env("HF_ENDPOINT", &hub.url);
    let server = Server::spawn(command);
    let submit = ["task", "submit", "--agent", "customer-query-routing", "--wait", "--json", "I was charged twice."];
    assert!(server.run(&home, &submit).ok().json()["output"].is_object());
    let models = Api::new(&server.url).get("/v1/models").await;
    let names: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["pocket", "second"]);
    server.stop();
}
