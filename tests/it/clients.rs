//! The official `openai` packages of Python and JavaScript against the real server (`tests/clients/`). What they need is
//! set up here from the package registries, in the target folder, where the next run finds it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::flaky::Flaky;
use crate::home::{Home, Ran, shipped};
use crate::server::Server;

/// One request runs and one waits; a third is refused.
const SMALL: &str = "openclaw_core:\n  inference:\n    max_batch_size: 1\n    max_waiting: 1\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_python_package_of_openai_finds_what_it_expects() {
    let folder = set_up("python", "requirements.txt", |folder| {
        need("python3", &["-c", "import ensurepip, venv"], &["python3", "python3-venv"]);
        run(Command::new("python3").args(["-m", "venv"]).arg(folder));
        let pip = &mut Command::new(folder.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--requirement"]).arg(shipped("tests/clients/requirements.txt")));
    });
    check(Command::new(folder.join("bin/python")).arg(shipped("tests/clients/check.py"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_package_of_openai_finds_what_it_expects() {
    let folder = set_up("javascript", "package-lock.json", |folder| {
        need("npm", &["--version"], &["nodejs", "npm", "ca-certificates"]);
        for file in ["package.json", "package-lock.json"] {
            fs::copy(shipped("tests/clients").join(file), folder.join(file)).unwrap();
        }
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder));
    });
    // Node looks for packages beside the script.
    let script = folder.join("check.mjs");
    fs::copy(shipped("tests/clients/check.mjs"), &script).unwrap();
    check(Command::new("node").arg(script)).await;
}

/// Runs a script against servers of its own; it names what fails.
async fn check(script: &mut Command) {
    let (home, small_home) = (Home::new(), Home::new());
    let (server, small) = (Server::start(&home), Server::start_with(&small_home, SMALL));
    let flaky = Flaky::before(&server).await;
    home.settle(script);
    script.env("TALON_URL", &server.url).env("TALON_SMALL_URL", &small.url).env("TALON_FLAKY_URL", &flaky.url);
    let ran = Ran::of(script);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    server.stop();
    small.stop();
}

/// The folder of a language, made by `make` unless it was made from the same `pinned` versions before.
fn set_up(language: &str, pinned: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let clients = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&clients).unwrap();
    // Only one test, of whatever process, may install at a time.
    let lock = File::create(clients.join("lock")).unwrap();
    lock.lock().unwrap();
    let (folder, pinned) = (clients.join(language), fs::read(shipped("tests/clients").join(pinned)).unwrap());
    let made_from = folder.join("made-from");
    if fs::read(&made_from).ok().as_ref() != Some(&pinned) {
        // It may not be there.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        make(&folder);
        fs::write(made_from, pinned).unwrap();
    }
    folder
}

/// Has apt install `packages` unless `program` runs with these arguments already.
fn need(program: &str, arguments: &[&str], packages: &[&str]) {
    let is_there = || Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if is_there() {
        return;
    }
    let packages = packages.join(" ");
    // Its scripts look for programs of the system in PATH.
    let install = format!(
        "export DEBIAN_FRONTEND=noninteractive PATH=\"$PATH:/usr/sbin:/sbin\"; apt-get update; \
         apt-get install --yes --no-install-recommends {packages}"
    );
    let tried = Ran::of(Command::new("sh").args(["-c", &install]));
    assert!(
        is_there(),
        "{program} is missing, and apt-get could not install it; install {packages}:\n{}",
        tried.stderr
    );
}

/// Runs a command that has to succeed.
fn run(command: &mut Command) {
    let ran = Ran::of(command);
    assert_eq!(ran.code, Some(0), "{command:?} failed:\n{}{}", ran.stdout, ran.stderr);
}
