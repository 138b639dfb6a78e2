//! All metrics of the process in one answer: the process's own, and each engine's under its model's name.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use core_api::Gather;
use prometheus::Registry;
use prometheus::proto::MetricFamily;

use crate::failure::Failure;

/// The registries of a process.
pub(crate) struct Metrics {
    process: Registry,
    models: Arc<Mutex<Vec<Registry>>>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics { process: Registry::new(), models: Arc::default() }
    }

    /// For what there is once.
    pub(crate) fn process(&self) -> &Registry {
        &self.process
    }

    /// For one engine; everything in it carries the label `model`.
    pub(crate) fn of_model(&self, name: &str) -> Result<Registry, Failure> {
        let labels = HashMap::from([("model".to_owned(), name.to_owned())]);
        let registry = Registry::new_custom(None, Some(labels))
            .map_err(|error| Failure::usage(format!("model {name} cannot be measured: {error}")))?;
        self.models.lock().unwrap_or_else(PoisonError::into_inner).push(registry.clone());
        Ok(registry)
    }

    /// Reads everything; families that several engines have become one.
    pub(crate) fn gather(&self) -> Gather {
        let (process, models) = (self.process.clone(), self.models.clone());
        Arc::new(move || {
            let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
            let models = models.lock().unwrap_or_else(PoisonError::into_inner);
            for mut family in std::iter::once(&process).chain(models.iter()).flat_map(Registry::gather) {
                match families.get_mut(family.name()) {
                    Some(known) => known.mut_metric().append(family.mut_metric()),
                    None => {
                        families.insert(family.name().to_owned(), family);
                    }
                }
            }
            families.into_values().collect()
        })
    }
}

/// Two parts of the program chose the same name.
pub(crate) fn declared_twice(error: prometheus::Error) -> Failure {
    Failure::unavailable(format!("a metric is declared twice: {error}"))
}

#[cfg(test)]
mod tests {
    use prometheus::{IntGauge, TextEncoder};

    use super::*;

    #[test]
    fn engines_share_a_family_and_differ_by_model() {
        let metrics = Metrics::new();
        for name in ["large", "small"] {
            let gauge = IntGauge::new("steps", "Steps").expect("a gauge");
            metrics.of_model(name).expect("a registry").register(Box::new(gauge)).expect("declared once");
        }
        let text = TextEncoder::new().encode_to_string(&(metrics.gather())()).expect("text");
        assert_eq!(text.matches("# TYPE steps gauge").count(), 1);
        assert!(text.contains("steps{model=\"large\"} 0"));
        assert!(text.contains("steps{model=\"small\"} 0"));
    }
}
