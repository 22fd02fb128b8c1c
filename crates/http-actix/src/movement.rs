//! What a credit and a debit are asked with, and what every movement may be noted with.

use utoipa::ToSchema;
use wallex_domain::{Amount, Description, Memo, Reference};

use crate::command::RequestBody;
use crate::fields::Fields;
use crate::schema;

/// A sum that is to come in or go out.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Movement)]
pub(crate) struct MovementBody {
    #[schema(schema_with = schema::amount)]
    pub(crate) amount: Amount,
    #[schema(schema_with = schema::description)]
    description: Option<Description>,
    #[schema(schema_with = schema::reference)]
    reference: Option<Reference>,
}

impl MovementBody {
    pub(crate) fn memo(self) -> Memo {
        Memo { description: self.description, reference: self.reference }
    }
}

impl RequestBody for MovementBody {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let amount = fields.required_integer("amount", Amount::new);
        let Memo { description, reference } = read_memo(fields);
        Some(Self { amount: amount?, description, reference })
    }
}

/// Takes `description` and `reference`.
pub(crate) fn read_memo(fields: &mut Fields<'_>) -> Memo {
    Memo {
        description: fields.optional_text("description", Description::parse),
        reference: fields.optional_text("reference", Reference::parse),
    }
}
