//! `wallex keys`: API keys, made and taken back.

use anyhow::Context;
use wallex_http_actix::admin_json::{ApiKeyJson, ApiKeyListJson, IssuedKeyJson, time};
use wallex_ports::{ApiKey, ApiKeyError, ApiKeyId, IssuedKey, NewApiKey};

use super::table::{Align, Table};
use super::{Outcome, Ports};
use crate::cli::{KeysAction, Output};

/// Does what is asked.
///
/// # Errors
/// When there is no such key, it can't be replaced, or the database fails.
pub(super) async fn run(ports: &Ports, action: &KeysAction) -> anyhow::Result<Outcome> {
    let (keys, by) = (ports.keys.as_ref(), &ports.actor);
    let text = match action {
        KeysAction::Create { name, scopes, tenant, expires_in, output } => {
            let new = NewApiKey {
                tenant: tenant.clone(),
                name: name.clone(),
                scopes: scopes.iter().copied().collect(),
                lifetime_ms: *expires_in,
            };
            let issued = keys.create(&new, by).await.context("the key can't be made")?;
            issue(&issued, *output)?
        }
        KeysAction::List { tenant, output } => {
            let all = keys.list(tenant.as_ref()).await.context("can't see the keys")?;
            match output.json {
                true => crate::pretty_json(&ApiKeyListJson::from(all.as_slice()))?,
                false => table(&all),
            }
        }
        KeysAction::Rotate { id, overlap, output } => {
            let rotated = keys.rotate(id, *overlap, by).await;
            issue(&rotated.map_err(|error| in_words(error, id, "replaced"))?, *output)?
        }
        KeysAction::Revoke { id, output } => {
            let revoked = keys.revoke(id, by).await;
            let key = revoked.map_err(|error| in_words(error, id, "revoked"))?;
            match output.json {
                true => crate::pretty_json(&ApiKeyJson::from(&key))?,
                false => format!("key {id}, {}, is revoked\n", plain(key.name.as_str())),
            }
        }
    };
    Ok(Outcome::fine(text))
}

fn in_words(error: ApiKeyError, id: &ApiKeyId, what: &str) -> anyhow::Error {
    match error {
        ApiKeyError::Unknown(id) => anyhow::anyhow!("there is no key {id}: see `wallex keys list`"),
        ApiKeyError::Database(error) => {
            anyhow::Error::new(error).context(format!("key {id} can't be {what}"))
        }
        other => anyhow::Error::new(other),
    }
}

/// A key that was just made: the one time that it can be read.
fn issue(issued: &IssuedKey, output: Output) -> anyhow::Result<String> {
    if output.json {
        return crate::pretty_json(&IssuedKeyJson::from(issued));
    }
    let key = &issued.key;
    Ok(format!(
        "key      {}\nname     {}\ntenant   {}\nscopes   {}\nexpires  {}\n\n{}\n\n\
         It is not shown again. Send it as Authorization: Bearer <key>.\n",
        key.id,
        plain(key.name.as_str()),
        key.tenant,
        key.scopes,
        expiry(key),
        issued.secret.reveal(),
    ))
}

fn expiry(key: &ApiKey) -> String {
    key.expires_at.map_or_else(|| "never".to_owned(), time)
}

fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn table(keys: &[ApiKey]) -> String {
    use Align::Left;
    if keys.is_empty() {
        return "there is no key: `wallex keys create` makes one\n".to_owned();
    }
    let mut table = Table::new([
        ("KEY", Left),
        ("NAME", Left),
        ("TENANT", Left),
        ("SCOPES", Left),
        ("STATE", Left),
        ("EXPIRES", Left),
        ("REPLACED BY", Left),
    ]);
    for key in keys {
        table.row([
            key.id.to_string(),
            key.name.to_string(),
            key.tenant.to_string(),
            key.scopes.to_string(),
            key.state.to_string(),
            expiry(key),
            key.replaced_by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::Command;
    use crate::commands::fakes::{Fakes, command};

    async fn ran(words: &[&str]) -> anyhow::Result<String> {
        let Command::Keys { action } = command(words) else { panic!("{words:?}") };
        Ok(run(&Arc::new(Fakes::default()).ports(), &action).await?.text)
    }

    #[tokio::test]
    async fn a_new_key_is_shown_once_with_what_it_is() {
        let create = ["keys", "create", "--name", "shop", "--scopes", "wallets:read,admin"];
        let text = ran(&create).await.expect("made");
        assert_eq!(
            text,
            "key      abc123def456\nname     shop\ntenant   default\n\
             scopes   wallets:read admin\nexpires  never\n\nwlx_secret\n\n\
             It is not shown again. Send it as Authorization: Bearer <key>.\n"
        );
        let json = ran(&[&create[..], &["--json"]].concat()).await.expect("made");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["secret"], &json["key"]["name"]), (&"wlx_secret".into(), &"shop".into()));
    }

    #[tokio::test]
    async fn keys_are_listed_without_their_secrets() {
        assert_eq!(
            ran(&["keys", "list"]).await.expect("seen"),
            "KEY           NAME  TENANT   SCOPES  STATE   EXPIRES                   REPLACED BY\n\
             abc123def456  shop  default  admin   usable  2026-01-01T00:00:00.007Z  -\n"
        );
        assert!(!ran(&["keys", "list", "--json"]).await.expect("seen").contains("wlx_"));
    }

    #[tokio::test]
    async fn what_can_not_be_done_is_told() {
        let revoked = ran(&["keys", "revoke", "abc123def456"]).await.expect("revoked");
        assert_eq!(revoked, "key abc123def456, shop, is revoked\n");
        let nobody = ran(&["keys", "revoke", "nobody123456"]).await.expect_err("there is none");
        assert_eq!(nobody.to_string(), "there is no key nobody123456: see `wallex keys list`");
    }
}
