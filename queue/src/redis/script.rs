//! The scripts that run inside the server, and how they are called there.

use std::sync::LazyLock;

use redis::aio::ConnectionLike;
use redis::{Cmd, FromRedisValue, RedisResult, Script, ToRedisArgs};

use super::fault::Fault;
use super::metrics::Tally;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));
        )*
        const ALL: &[&LazyLock<Script>] = &[$(&$name),*];
    };
}

scripts! {
    PUSH = "lua/push.lua";
    FETCH = "lua/fetch.lua";
    ACKNOWLEDGE = "lua/acknowledge.lua";
    PUT_BACK = "lua/put_back.lua";
    CLAIM = "lua/claim.lua";
    RECOVER = "lua/recover.lua";
    HOLDS = "lua/holds.lua";
    DEPTH = "lua/depth.lua";
    PREPARE = "lua/prepare.lua";
    FORGET_CONSUMERS = "lua/forget_consumers.lua";
    ACCEPT_INTAKE = "lua/accept_intake.lua";
    REFUSE_INTAKE = "lua/refuse_intake.lua";
}

/// Gives the server every script, so that a call is its name alone.
pub(crate) async fn load(link: &mut impl ConnectionLike) -> RedisResult<()> {
    for script in ALL {
        script.load_async(link).await?;
    }
    Ok(())
}

/// A script with its keys and arguments.
pub(crate) struct Call {
    script: &'static Script,
    command: Cmd,
}

impl Call {
    pub(crate) fn new(script: &'static Script, keys: &[&str]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys);
        Call { script, command }
    }

    pub(crate) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.command.arg(argument);
        self
    }

    /// Runs it; a server that forgot the script is given it again.
    pub(crate) async fn run<T: FromRedisValue>(self, link: &mut impl ConnectionLike, tally: &Tally) -> RedisResult<T> {
        match self.command.query_async(link).await {
            Err(error) if Fault::of(&error) == Fault::NoScript => {
                tally.failed(&error);
                self.script.load_async(link).await?;
                self.command.query_async(link).await
            }
            answer => answer,
        }
    }
}
