//! Creates over HTTP, and beside them what writes the same rows by plain SQL.

use anyhow::Result;

use super::{COMPARED, MANY};
use crate::baseline::{ArraysClient, CREATE_FUNCTION, FunctionClient, PlainSqlClient, SEQUENCE};
use crate::bench::Bench;
use crate::figures::{Load, Subject};
use crate::load::Creating;
use crate::site::Site;
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// A baseline stands right behind the load that it is compared with.
pub(super) async fn round(bench: &mut Bench, kind: Kind, round: u32) -> Result<()> {
    match kind {
        Kind::Postgres => {
            with_transactions(bench, round).await?;
            without_projectors(bench, round).await
        }
        Kind::Sqlite => {
            let mut site = bench.site(kind).await?;
            for connections in [1, COMPARED, MANY] {
                http(bench, &mut site, round, connections).await?;
            }
            bench.finish(site).await
        }
    }
}

async fn with_transactions(bench: &mut Bench, round: u32) -> Result<()> {
    let mut transactions = baseline(bench).await?;
    let mut functions = baseline(bench).await?;
    functions.tables.execute(CREATE_FUNCTION).await?;
    let mut site = bench.site(Kind::Postgres).await?;

    http(bench, &mut site, round, 1).await?;
    transaction(bench, &mut transactions, round, 1).await?;
    http(bench, &mut site, round, COMPARED).await?;
    transaction(bench, &mut transactions, round, COMPARED).await?;
    http(bench, &mut site, round, MANY).await?;
    function(bench, &mut functions, round).await?;

    for plain in [transactions, functions] {
        site.tables.compare_row_bytes(&plain.tables).await?;
        bench.discard(plain).await?;
    }
    bench.finish(site).await
}

async fn without_projectors(bench: &mut Bench, round: u32) -> Result<()> {
    let mut limit = baseline(bench).await?;
    let mut site = bench.empty(Kind::Postgres).await?;
    site.start(false).await?;
    let load = |connections| {
        Load::closed(Part::Creates, Kind::Postgres, Subject::Unprojected, connections)
    };

    bench.http(&mut site, round, load(COMPARED)).await?;
    arrays(bench, &mut limit, round).await?;
    bench.http(&mut site, round, load(MANY)).await?;

    site.tables.compare_row_bytes(&limit.tables).await?;
    bench.discard(limit).await?;
    bench.finish(site).await
}

/// A database of its own for plain SQL.
async fn baseline(bench: &mut Bench) -> Result<Site> {
    let site = bench.empty(Kind::Postgres).await?;
    site.tables.execute(SEQUENCE).await?;
    Ok(site)
}

async fn http(bench: &mut Bench, site: &mut Site, round: u32, connections: usize) -> Result<()> {
    let subject = Subject::Http(Traffic::Create);
    let load = Load::closed(Part::Creates, site.kind(), subject, connections);
    bench.http(site, round, load).await
}

async fn transaction(
    bench: &mut Bench,
    site: &mut Site,
    round: u32,
    connections: usize,
) -> Result<()> {
    let (port, user, name) = site.postgres()?;
    let mut workers = Vec::new();
    for _ in 0..connections {
        let client = PlainSqlClient::connect(port, user, name).await?;
        workers.push(Creating::new(client, &bench.wallets));
    }
    let load = Load::closed(Part::Creates, Kind::Postgres, Subject::Transaction, connections);
    bench.plain(site, round, (load, workers)).await
}

async fn function(bench: &mut Bench, site: &mut Site, round: u32) -> Result<()> {
    let (port, user, name) = site.postgres()?;
    let mut workers = Vec::new();
    for _ in 0..COMPARED {
        let client = FunctionClient::connect(port, user, name).await?;
        workers.push(Creating::new(client, &bench.wallets));
    }
    let load = Load::closed(Part::Creates, Kind::Postgres, Subject::Function, COMPARED);
    bench.plain(site, round, (load, workers)).await
}

async fn arrays(bench: &mut Bench, site: &mut Site, round: u32) -> Result<()> {
    let workers = vec![ArraysClient::connect(site.postgres()?, &bench.wallets).await?];
    let load = Load::closed(Part::Creates, Kind::Postgres, Subject::Arrays, 1);
    bench.plain(site, round, (load, workers)).await
}
