//! What templates expect of Python and of Hugging Face's `apply_chat_template`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::{Map, Value as Json};

use crate::chat::python_json::{Layout, dumps, dumps_as};

/// No JSON that we read is deeper.
const MAX_DEPTH: usize = 128;

/// What a template says with `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub(super) String);

pub(super) fn install(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.set_formatter(print);
    environment.add_filter("tojson", tojson);
    environment.add_function("raise_exception", raise_exception);
}

fn raise_exception(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(message.to_owned())))
}

/// A moment as `datetime.now().strftime(format)` spells it, in UTC.
pub(super) fn strftime(format: &str, moment: Timestamp) -> Result<String, Error> {
    let moment = moment.to_zoned(TimeZone::UTC);
    jiff::fmt::strtime::format(format, &moment).map_err(|error| invalid(format!("strftime_now: {error}")))
}

/// As `str` does.
fn print(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = match value.kind() {
        ValueKind::Undefined => return Ok(()),
        ValueKind::None => "None",
        ValueKind::Bool if value.is_true() => "True",
        ValueKind::Bool => "False",
        ValueKind::Number => &dumps(&json(value, 0)?),
        ValueKind::String => value.as_str().unwrap_or_default(),
        kind => return Err(invalid(format!("it prints a {kind} without tojson, which is not supported"))),
    };
    Ok(out.write_str(text)?)
}

/// `json.dumps(value, ensure_ascii=False, indent=…, separators=…, sort_keys=…)`.
fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    if options.get::<Option<bool>>("ensure_ascii")? == Some(true) {
        return Err(invalid("tojson(ensure_ascii=true) is not supported".to_owned()));
    }
    let mut layout = Layout::new(options.get("indent")?);
    if let Some(separators) = options.get::<Option<Vec<String>>>("separators")? {
        let [between_items, after_key] = separators.try_into().map_err(|_| invalid("two separators".to_owned()))?;
        layout = Layout { between_items, after_key, ..layout };
    }
    let sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    let mut json = json(value, 0)?;
    if sort_keys {
        json.sort_all_objects();
    }
    Ok(dumps_as(&json, &layout))
}

fn json(value: &Value, depth: usize) -> Result<Json, Error> {
    if depth > MAX_DEPTH {
        return Err(invalid("a value that is nested too deeply".to_owned()));
    }
    Ok(match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Bool => value.is_true().into(),
        ValueKind::Number => number(value)?,
        ValueKind::String => value.as_str().unwrap_or_default().into(),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|item| json(&item, depth + 1)).collect::<Result<Json, _>>()?
        }
        ValueKind::Map => {
            let entry = |key: Value| Ok((key.to_string(), json(&value.get_item(&key)?, depth + 1)?));
            Json::Object(value.try_iter()?.map(entry).collect::<Result<Map<_, _>, Error>>()?)
        }
        kind => return Err(invalid(format!("{kind} has no JSON"))),
    })
}

fn number(value: &Value) -> Result<Json, Error> {
    if !value.is_integer() {
        return Ok(f64::try_from(value.clone())?.into());
    }
    match (i64::try_from(value.clone()), u64::try_from(value.clone())) {
        (Ok(number), _) => Ok(number.into()),
        (Err(_), number) => Ok(number?.into()),
    }
}

fn invalid(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}
