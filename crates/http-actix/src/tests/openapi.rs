use std::collections::BTreeSet;

use wallex_domain::{Amount, Balance, Currency, Memo, OwnerId, Wallet, WalletId};

use super::*;
use crate::access::Needs;
use crate::openapi::refusals;
use crate::routes::{self, Verb};
use crate::{openapi, openapi_json};

fn description() -> Value {
    serde_json::from_str(&openapi_json()).expect("JSON")
}

#[actix_web::test]
async fn description_is_served_as_it_is_generated() {
    let reply = Client::new().await.get("/openapi.json").await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.text, openapi_json());
    assert_eq!(reply.json()["openapi"], "3.1.0");
    assert_eq!(openapi().info.title, "Wallex");
}

#[actix_web::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    let json = description();
    let paths = json["paths"].as_object().expect("paths");
    for (path, item) in paths {
        for method in ["get", "post"] {
            let described = item.get(method).is_some();
            // A stream is not read to its end: it has none.
            let uri = path.replace("{id}", "w-1").replace("/admin/live", "/admin/live?unknown=1");
            let request = TestRequest::default()
                .uri(&uri)
                .method(method.to_uppercase().parse().expect("a method"));
            let status = client.call(request).await.status;
            assert_eq!(described, status != 404 && status != 405, "{method} {path}: {status}");
        }
    }
    let described: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let is_page =
        |path: &str| path == "/" || ["/docs", "/console"].iter().any(|page| path.starts_with(page));
    let routes = crate::routes::paths().filter(|path| !is_page(path));
    assert_eq!(described, routes.collect());
}

#[actix_web::test]
async fn every_refusal_is_described_once() {
    let json = description();
    for entry in routes::table().filter(|entry| entry.needs != Needs::Nothing) {
        let verb = if entry.verb == Verb::Read { "get" } else { "post" };
        let responses = &json["paths"][entry.path][verb]["responses"];
        for code in refusals(entry.needs) {
            let response = &responses[code.status().as_str()]["description"];
            let lines = response.as_str().unwrap_or_default().split("\n\n");
            let mine = format!("`{}`: {}.", code.slug(), code.title());
            let said = lines.filter(|line| *line == mine).count();
            assert_eq!(said, 1, "{verb} {} {mine} in {response}", entry.path);
        }
    }
}

#[actix_web::test]
async fn schemas_leave_no_room_for_more() {
    fn check(schema: &Value, place: &str) {
        if schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], false, "{place}");
        }
        match schema {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| check(value, &format!("{place}/{name}")));
            }
            Value::Array(items) => items.iter().for_each(|item| check(item, place)),
            _ => (),
        }
    }
    check(&description()["components"]["schemas"], "");
}

#[actix_web::test]
async fn event_data_is_described_field_by_field() {
    let json = description();
    let shapes = json["components"]["schemas"]["Event"]["properties"]["data"]["oneOf"].clone();
    let opened = Wallet::open(
        OwnerId::parse("u").expect("valid"),
        Currency::parse("USD").expect("valid"),
        Balance::ZERO,
    );
    let wallet = |id: &str| Wallet::from_created(WalletId::parse(id).expect("valid"), &opened);
    let (mut from, to) = (wallet("a").expect("created"), wallet("b").expect("created"));
    let amount = Amount::new(1).expect("valid");
    let memo = Memo { description: "d".parse().ok(), reference: "r".parse().ok() };
    from.apply(&from.credit(amount, memo.clone()).expect("fits")).expect("follows");
    let id = uuid::Uuid::nil().into();
    let legs = wallex_domain::transfer(id, &from, &to, amount, memo).expect("funds");
    for (shape, event) in [(0, &opened), (1, &legs.debit)] {
        let payload: Value = serde_json::from_str(&event.encode().payload).expect("JSON");
        let keys = |value: &Value| -> BTreeSet<String> {
            value.as_object().expect("an object").keys().cloned().collect()
        };
        assert_eq!(keys(&payload), keys(&shapes[shape]["properties"]));
        if let Some(leg) = payload.get("transfer") {
            assert_eq!(keys(leg), keys(&shapes[shape]["properties"]["transfer"]["properties"]));
        }
    }
}

#[actix_web::test]
async fn examples_are_accepted() {
    let client = Client::new().await;
    client.open("wallet-002", 1_000).await;
    let json = description();
    for (path, status) in [
        ("/wallets", 201),
        ("/wallets/{id}/credit", 200),
        ("/wallets/{id}/debit", 200),
        ("/wallets/{id}/transfer", 200),
    ] {
        let body =
            &json["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"];
        let reply = client.post(&path.replace("{id}", "wallet-001"), body).await;
        assert_eq!(reply.status, status, "{path} {}", reply.text);
    }
}
