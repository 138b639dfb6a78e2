//! Why a tool call has no result; a variant per decision of the agent loop.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::StatusCode;
use types::DocumentId;

use super::address::Forbidden;

/// Why a tool call has no result. Every message says which tool, where and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The input is at fault, so the same call fails again: tell the model, or fail the task.
    #[error("{tool} cannot use the input: {detail} ({code})")]
    Unusable {
        /// The tool's name.
        tool: String,
        /// A stable word: the tool's own `code` (such as `no_text`), else `http_<status>`, or `bad_arguments`.
        code: String,
        /// One line for the model and for people.
        detail: String,
    },
    /// The tool or the network is at fault for now: another attempt may succeed.
    #[error("{tool} at {endpoint} failed and may be tried again: {detail}")]
    Retryable {
        /// The tool's name.
        tool: String,
        /// Where it was called.
        endpoint: String,
        /// What happened.
        detail: String,
        /// How long the tool asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// A document for the call could not be read: this process is at fault and not the tool, which was not called.
    #[error("{tool} was not called: {detail}")]
    Store {
        /// The tool's name.
        tool: String,
        /// Which document, and what the store said.
        detail: String,
    },
    /// A guardrail forbids the call; it was not made, or its answer was not followed.
    #[error("{tool} at {endpoint} is denied: {reason}")]
    Denied {
        /// The tool's name.
        tool: String,
        /// Where it would have gone.
        endpoint: String,
        /// Which rule.
        reason: Denial,
    },
    /// The answer is larger than is taken.
    #[error("{tool} at {endpoint} answered with more than {max} bytes; make the tool return less")]
    TooLarge {
        /// The tool's name.
        tool: String,
        /// Where it was called.
        endpoint: String,
        /// The limit in bytes.
        max: usize,
    },
    /// The tool is not what the agent's file says: wrong path, no access, no usable answer. An operator must act.
    #[error("{tool} at {endpoint} is not set up as its agent expects: {detail}; correct the endpoint or the tool")]
    Misconfigured {
        /// The tool's name.
        tool: String,
        /// Where it was called.
        endpoint: String,
        /// What is wrong.
        detail: String,
    },
    /// The task's own deadline passed during the call, before the tool's timeout.
    #[error("the task's deadline passed while {tool} at {endpoint} was working")]
    Deadline {
        /// The tool's name.
        tool: String,
        /// Where it was called.
        endpoint: String,
    },
}

/// The rule that denied a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The host leads to an address that the agent may not reach.
    #[error("{host} leads to {address}, which is {why}")]
    Address {
        /// The endpoint's host.
        host: String,
        /// The first forbidden address.
        address: IpAddr,
        /// Why it is forbidden.
        why: Forbidden,
    },
    /// The tool sent the client elsewhere; the grant is for its exact endpoint.
    #[error(
        "it answered {status} and points to {location}; redirects are not followed, bind the tool to its final address"
    )]
    Redirect {
        /// The status.
        status: StatusCode,
        /// The header's text, or `nowhere`.
        location: String,
    },
    /// The id is not one of the task's documents.
    #[error("{0} is not a document of this task")]
    NotGranted(DocumentId),
}
