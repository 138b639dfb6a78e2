//! `/v1/teams`: who shares the workers.

use axum::Json;
use axum::extract::State;
use store::Team;
use types::TeamName;

use super::reject::{Body, Id};
use crate::caller::Admin;
use crate::dto::{PutTeam, TeamView};
use crate::problem::Problem;
use crate::state::ApiState;

const MAX_WEIGHT: u32 = 1000;

/// List the teams that were made here, by name. Any other has weight 1. Needs the role admin.
#[utoipa::path(get, path = "/v1/teams", operation_id = "list_teams", tag = "access",
    responses((status = 200, body = Vec<TeamView>, description = "All of them")))]
pub(crate) async fn list(State(state): State<ApiState>, _: Admin) -> Result<Json<Vec<TeamView>>, Problem> {
    let teams = state.store.teams().await?;
    Ok(Json(teams.into_iter().map(TeamView::from).collect()))
}

/// Make a team, or change its weight. Needs the role admin.
#[utoipa::path(put, path = "/v1/teams/{name}", operation_id = "put_team", tag = "access",
    params(("name" = TeamName, Path, description = "Its name")), request_body = PutTeam,
    responses(
        (status = 200, body = TeamView, description = "As it stands now"),
        (status = 400, description = "The JSON cannot be read"),
        (status = 404, description = "The name is none"),
        (status = 413, description = "More than 2 MiB of JSON"),
        (status = 415, description = "Not JSON"),
        (status = 422, description = "The weight is out of range")
    ))]
pub(crate) async fn put(
    State(state): State<ApiState>,
    Admin(caller): Admin,
    Id(name): Id<TeamName>,
    Body(PutTeam { weight }): Body<PutTeam>,
) -> Result<Json<TeamView>, Problem> {
    if !(1..=MAX_WEIGHT).contains(&weight) {
        let detail = format!("weight is {weight} but must be from 1 to {MAX_WEIGHT}");
        return Err(Problem::unprocessable("bad_weight", detail));
    }
    let team = Team { name, weight };
    state.store.put_team(team.clone(), &caller.actor).await?;
    Ok(Json(team.into()))
}
