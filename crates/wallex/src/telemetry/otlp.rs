//! Traces by OTLP, as the standard variables of OpenTelemetry say.

use anyhow::{Context, ensure};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const PROTOCOL: &str = "http/protobuf";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];
const SERVICE_NAME: &str = "service.name";

/// Where spans go; `None` when no variable names a collector.
///
/// The exporter batches on a thread of its own, with a bounded queue: a collector that is slow or
/// gone costs spans, never a command. Sampler, queue and resource attributes come from the
/// environment, as the OpenTelemetry specification has it.
///
/// # Errors
/// When the endpoint is not a URL, or a protocol or sampler is asked for that there is not.
pub(super) fn provider() -> anyhow::Result<Option<SdkTracerProvider>> {
    if !is_wanted(&variable) {
        return Ok(None);
    }
    check_protocol(&variable)?;
    check_sampler(&variable)?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .build()
        .context("traces can't be exported")?;
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attributes(default_name(&variable))
        .build();
    let provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    Ok(Some(provider))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_wanted(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let disabled = variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    let none = variable("OTEL_TRACES_EXPORTER").is_some_and(|exporter| exporter == "none");
    !disabled && !none && ENDPOINTS.iter().any(|name| variable(name).is_some())
}

/// The traces' own variable wins over the general one.
fn check_protocol(variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    let asked = PROTOCOLS.iter().find_map(|name| variable(name).map(|value| (name, value)));
    if let Some((name, value)) = asked {
        ensure!(
            value == PROTOCOL,
            "{name} must be {PROTOCOL}, the one protocol that is built in, but is {value:?}: leave it \
             out, and name the port at which the collector takes HTTP, which is often 4318"
        );
    }
    Ok(())
}

/// The SDK would record everything where it does not know what to do.
fn check_sampler(variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<()> {
    let Some(sampler) = variable(SAMPLER) else { return Ok(()) };
    ensure!(
        SAMPLERS.contains(&sampler.as_str()),
        "{SAMPLER} must be one of {}, but is {sampler:?}",
        SAMPLERS.join(", ")
    );
    if sampler.ends_with("traceidratio") {
        let ratio = variable(SAMPLER_ARG).and_then(|ratio| ratio.parse::<f64>().ok());
        ensure!(
            ratio.is_some_and(|ratio| (0.0..=1.0).contains(&ratio)),
            "{SAMPLER_ARG} must be the share of traces to record, 0.1 for one, where {SAMPLER} is \
             {sampler}"
        );
    }
    Ok(())
}

/// `wallex`, unless the environment names the service.
fn default_name(variable: &dyn Fn(&str) -> Option<String>) -> Option<KeyValue> {
    let named = variable("OTEL_SERVICE_NAME").is_some()
        || variable("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|attributes| {
            let names = attributes.split(',').filter_map(|pair| pair.split_once('='));
            names.map(|(name, _)| name.trim()).any(|name| name == SERVICE_NAME)
        });
    (!named).then(|| KeyValue::new(SERVICE_NAME, "wallex"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn traces_are_exported_only_to_a_named_collector() {
        assert!(!is_wanted(&given(&[])));
        assert!(!is_wanted(&given(&[("OTEL_SERVICE_NAME", "a")])));
        assert!(is_wanted(&given(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a")])));
        assert!(is_wanted(&given(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a")])));
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            let pairs = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), off].leak();
            assert!(!is_wanted(&given(pairs)));
        }
    }

    #[test]
    fn protocol_that_is_not_built_in_is_named() {
        assert!(check_protocol(&given(&[])).is_ok());
        assert!(check_protocol(&given(&[("OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOL)])).is_ok());
        let error = check_protocol(&given(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]));
        let error = error.expect_err("grpc is not built in").to_string();
        assert!(error.contains("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf"), "{error}");
    }

    #[test]
    fn sampler_that_there_is_not_is_named() {
        let check = |pairs| check_sampler(&given(pairs)).map_err(|error| error.to_string());
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[(SAMPLER, "always_off")]), Ok(()));
        for ratio in ["0", "0.1", "1"] {
            let pairs = vec![(SAMPLER, "parentbased_traceidratio"), (SAMPLER_ARG, ratio)];
            assert_eq!(check(pairs.leak()), Ok(()), "{ratio}");
        }
        let unknown = check(&[(SAMPLER, "sometimes")]).expect_err("there is none");
        assert!(unknown.contains("must be one of always_on, "), "{unknown}");
        for ratio in ["", "x", "10", "-1", "NaN"] {
            let pairs = vec![(SAMPLER, "traceidratio"), (SAMPLER_ARG, ratio)];
            let error = check(pairs.leak()).expect_err(ratio);
            assert!(error.contains("OTEL_TRACES_SAMPLER_ARG must be"), "{error}");
        }
    }

    #[test]
    fn service_is_called_wallex_unless_named() {
        let name = |pairs| default_name(&given(pairs)).map(|pair| pair.value.to_string());
        assert_eq!(name(&[]), Some("wallex".to_owned()));
        assert_eq!(name(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b")]), Some("wallex".to_owned()));
        assert_eq!(name(&[("OTEL_SERVICE_NAME", "mine")]), None);
        assert_eq!(name(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=mine")]), None);
    }
}
