//! The kinds of values that there are: texts, whole numbers, times.

use std::ops::RangeInclusive;

use serde_json::Value;
use utoipa::openapi::KnownFormat;
use utoipa::openapi::schema::{
    AdditionalProperties, Object, ObjectBuilder, Schema, SchemaFormat, Type,
};

pub(crate) const ID_EXAMPLE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
pub(super) const TIME_EXAMPLE: &str = "2026-01-01T00:00:00.000Z";

pub(crate) fn text(description: &str, pattern: &str, example: impl Into<Value>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example.into()])
}

pub(crate) fn text_of(
    description: &str,
    pattern: &str,
    chars: RangeInclusive<usize>,
    example: &str,
) -> Object {
    text(description, pattern, example)
        .min_length(Some(*chars.start()))
        .max_length(Some(*chars.end()))
        .build()
}

pub(crate) fn integer(
    description: &str,
    min: i64,
    max: Option<i64>,
    example: i64,
) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .description(Some(description))
        .minimum(Some(min))
        .maximum(max)
        .examples([example])
}

/// One of the `values`.
pub(crate) fn one_of(description: &str, values: impl IntoIterator<Item = &'static str>) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(values.into_iter().collect::<Vec<_>>()))
        .build()
}

pub(crate) fn time(description: &str) -> Object {
    let pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$";
    text(description, pattern, TIME_EXAMPLE)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .build()
}

pub(crate) fn uuid_that(description: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("uuid".into())))
        .description(Some(description))
        .examples([ID_EXAMPLE])
        .build()
}

/// An object that has nothing but the properties that are added to it.
pub(crate) fn closed(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(description))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}
