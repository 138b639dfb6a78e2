//! `talon team`: teams and their shares.

use core_api::{PutTeam, TeamView};

use crate::cli::TeamCommand;
use crate::client::Client;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::show;

pub(crate) async fn run(command: TeamCommand, json: bool) -> Result<(), Failure> {
    let teams: Vec<TeamView> = match command {
        TeamCommand::List(server) => Client::of(&server)?.get("/v1/teams", &[]).await?,
        TeamCommand::Set(arguments) => {
            let client = Client::of(&arguments.server)?;
            let team = PutTeam { weight: arguments.weight };
            vec![client.put(&format!("/v1/teams/{}", arguments.name), &team).await?]
        }
    };
    if json {
        return print_json(&teams);
    }
    let mut table = show::table(["team", "weight"]);
    for team in teams {
        table.add_row([team.name.to_string(), team.weight.to_string()]);
    }
    print(table)
}
