//! Teams and their shares.

use async_trait::async_trait;
use serde_json::json;
use sqlx::Error;
use types::TeamName;

use super::connection::Sql;
use super::query::query;
use super::request::Alone;
use super::transaction::Transaction;
use crate::access::Team;
use crate::audit::Actor;

pub(crate) struct PutTeam {
    pub(crate) team: Team,
    pub(crate) actor: Actor,
}

#[async_trait]
impl Alone for PutTeam {
    type Answer = ();

    const DOING: &'static str = "keep a team";

    async fn apply(&self, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let Team { name, weight } = &self.team;
        let put = "INSERT INTO teams (name, weight) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET weight = $2";
        tx.execute(query(put).bind(name).bind(*weight)).await?;
        tx.audit(&self.actor, "team.put", name.as_str(), json!({ "weight": weight }));
        Ok(())
    }
}

/// Makes the team when it is new.
pub(crate) async fn ensure(tx: &mut Transaction<'_>, team: &TeamName) -> Result<(), Error> {
    let make = "INSERT INTO teams (name, weight) VALUES ($1, 1) ON CONFLICT (name) DO NOTHING";
    tx.execute(query(make).bind(team)).await?;
    Ok(())
}

pub(crate) async fn teams(sql: &mut dyn Sql) -> Result<Vec<Team>, Error> {
    let rows = sql.rows(query("SELECT name, weight FROM teams ORDER BY name")).await?;
    rows.iter().map(|row| Ok(Team { name: row.parse("name")?, weight: row.get("weight")? })).collect()
}
