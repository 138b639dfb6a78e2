//! `talon key`: API keys, made and revoked on a running server.

use core_api::{CreateKey, CreatedKey, KeyView};
use types::Timestamp;

use crate::cli::{CreateKeyArgs, KeyCommand, RevokeKeyArgs, ServerArgs};
use crate::client::{Client, body};
use crate::failure::Failure;
use crate::output::{print, print_json, say};
use crate::show;

pub(crate) async fn run(command: KeyCommand, json: bool) -> Result<(), Failure> {
    match command {
        KeyCommand::Create(arguments) => create(arguments, json).await,
        KeyCommand::List(server) => list(&server, json).await,
        KeyCommand::Revoke(arguments) => revoke(&arguments, json).await,
    }
}

/// The key alone goes to standard output, so that a file or a secret store can have it.
async fn create(arguments: CreateKeyArgs, json: bool) -> Result<(), Failure> {
    let CreateKeyArgs { team, role, name, expires_in, server } = arguments;
    let expires_at = expires_in.map(|time| Timestamp::now().after(time));
    let wish = CreateKey { team: Some(team), role, name, expires_at };
    let created: CreatedKey = Client::of(&server)?.post("/v1/keys", &wish).await?;
    if json {
        return print_json(&created);
    }
    print(&created.key)?;
    let KeyView { id, team, role, .. } = created.view;
    say(format_args!("key {id} of team {team}, {role}; it is shown this once and kept nowhere"));
    Ok(())
}

async fn list(server: &ServerArgs, json: bool) -> Result<(), Failure> {
    let keys: Vec<KeyView> = Client::of(server)?.get("/v1/keys", &[]).await?;
    if json {
        return print_json(&keys);
    }
    let mut table = show::table(["key", "team", "role", "name", "made", "good"]);
    for key in keys {
        let good = match (key.revoked_at, key.expires_at) {
            (Some(revoked), _) => format!("revoked {revoked}"),
            (None, Some(expiry)) if expiry <= Timestamp::now() => format!("expired {expiry}"),
            (None, Some(expiry)) => format!("until {expiry}"),
            (None, None) => "yes".to_owned(),
        };
        let (id, team, role) = (key.id.to_string(), key.team.to_string(), key.role.to_string());
        table.add_row([id, team, role, key.name, key.created_at.to_string(), good]);
    }
    print(table)
}

async fn revoke(arguments: &RevokeKeyArgs, json: bool) -> Result<(), Failure> {
    let response = Client::of(&arguments.server)?.delete(&format!("/v1/keys/{}", arguments.id)).await?;
    let key: KeyView = body(response).await?;
    if json { print_json(&key) } else { print(format_args!("{}: revoked; within seconds it is good nowhere", key.id)) }
}
