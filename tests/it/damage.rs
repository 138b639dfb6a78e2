//! Files that are not what they should be: the database, the model.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::home::{Home, Ran, shipped};
use crate::server::Server;

fn serve(home: &Home) -> Ran {
    home.run(&["serve", "--listen", "127.0.0.1:0"])
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let home = Home::new();
    Server::start(&home).stop();
    let options = SqliteConnectOptions::new().filename(home.data_dir().join("talon.db"));
    let mut later: SqliteConnection = options.connect().await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (999, 'later', TRUE, x'00', 0)";
    later.execute(newer).await.unwrap();
    later.close().await.unwrap();
    serve(&home).says(3, &["talon.db", "schema version 999", "run the newer build"]);
}

#[test]
fn what_is_no_database_is_left_alone() {
    let home = Home::new();
    let letter = "Dear reader, this is a letter. ".repeat(100);
    let path = home.write("data/talon.db", &letter);
    serve(&home).says(3, &["talon.db", "is not a database of this program", "move the file away"]);
    assert_eq!(std::fs::read_to_string(path).unwrap(), letter);
}

/// A server on the model file `name`.
fn serve_model(home: &Home, name: &str) -> Ran {
    let config = format!("version: 1\nmodels:\n  - {{name: pocket, path: {name}}}\n");
    let file = home.write("talon.yml", config);
    home.run(&["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"])
}

#[test]
fn a_model_file_that_is_not_there_is_named() {
    serve_model(&Home::new(), "absent.gguf").says(3, &["model pocket", "absent.gguf"]);
}

#[test]
fn a_model_file_cut_anywhere_is_refused_with_its_name() {
    let whole = std::fs::read(shipped("models/pocket/pocket.gguf")).unwrap();
    let home = Home::new();
    for length in [0, 3, 4, 23, 100, 4096, whole.len() / 2, whole.len() - 1] {
        home.write("cut.gguf", &whole[..length]);
        let ran = serve_model(&home, "cut.gguf");
        assert_eq!(ran.code, Some(3), "cut at {length}: {ran:?}");
        ran.says(3, &["model pocket", "cut.gguf"]);
    }
}

#[test]
fn a_model_file_of_garbage_is_refused_with_its_name() {
    let home = Home::new();
    let mut garbage: Vec<u8> = (0..100_000u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    home.write("garbage.gguf", &garbage);
    serve_model(&home, "garbage.gguf").says(3, &["model pocket", "garbage.gguf"]);
    // The right beginning, and counts beyond all measure.
    garbage[..8].copy_from_slice(b"GGUF\x03\0\0\0");
    garbage[8..24].fill(0xff);
    home.write("garbage.gguf", &garbage);
    serve_model(&home, "garbage.gguf").says(3, &["model pocket", "garbage.gguf"]);
}
