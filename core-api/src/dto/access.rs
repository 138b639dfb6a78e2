//! Keys and teams.

use serde::{Deserialize, Serialize};
use store::{ApiKey, Team};
use types::{ApiKeyId, Role, TeamName, Timestamp};
use utoipa::ToSchema;

/// A key to make.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// Whose tasks it may see; the caller's team unless given. A new team is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamName>,
    /// What it may do.
    pub role: Role,
    /// What it is for.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Not good from this moment; good for ever unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedKey {
    /// The key itself: it is shown this once and kept nowhere.
    #[schema(example = "talon_k2J0wq3J7c0i0uXr4mJmA5b8h1d9w2e6v3y7z0a1b2c")]
    pub key: String,
    /// What is known of it from now on.
    #[serde(flatten)]
    pub view: KeyView,
}

/// A key, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// What the audit log calls it.
    pub id: ApiKeyId,
    /// Whose tasks it may see.
    pub team: TeamName,
    /// What it may do.
    pub role: Role,
    /// What it is for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not good from this moment.
    pub expires_at: Option<Timestamp>,
    /// Not good since this moment.
    pub revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        KeyView {
            id: key.id,
            team: key.team,
            role: key.role,
            name: key.name,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// A team, and its share where teams compete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamView {
    /// Its name.
    pub name: TeamName,
    /// A team of weight 2 gets twice the tokens of one of weight 1 while both wait.
    pub weight: u32,
}

impl From<Team> for TeamView {
    fn from(team: Team) -> Self {
        TeamView { name: team.name, weight: team.weight }
    }
}

/// What is said of a team.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutTeam {
    /// A team of weight 2 gets twice the tokens of one of weight 1 while both wait.
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u32,
}
