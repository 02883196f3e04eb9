//! Clients, people who sign in, whom they act for, and what they have granted.
//!
//! Tokens, codes and session cookies are kept as SHA-256 only. Instants are
//! microseconds since 1970; `0` in `used` and `revoked` means "not yet".

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, blob_null, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for (table, columns) in INDEXES {
            let mut index = Index::create();
            index.name(format!("{table}_by_{}", columns.join("_"))).table(*table);
            for column in *columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

const INDEXES: &[(&str, &[&str])] = &[
    ("client_redirect", &["origin"]),
    ("authority", &["account"]),
    ("authority", &["patient"]),
    ("account", &["organization"]),
    ("session", &["account"]),
    ("session", &["expires"]),
    ("app_grant", &["account"]),
    ("app_grant", &["client"]),
    ("grant_consent", &["consent"]),
    ("authorization_code", &["expires"]),
    ("refresh_token", &["grant_id"]),
    ("refresh_token", &["expires"]),
    ("access_token", &["grant_id"]),
    ("access_token", &["client"]),
    ("access_token", &["expires"]),
    ("assertion", &["expires"]),
    ("failed_sign_in", &["key", "at"]),
];

fn tables() -> Vec<TableCreateStatement> {
    [clients(), people(), browser(), grants(), tokens()].concat()
}

fn table(name: &'static str, key: &[&'static str], columns: Vec<ColumnDef>) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for mut column in columns {
        table.col(&mut column);
    }
    let mut primary = Index::create();
    for column in key {
        primary.col(*column);
    }
    table.primary_key(&mut primary);
    table
}

fn clients() -> Vec<TableCreateStatement> {
    vec![
        table(
            "client",
            &["id"],
            vec![
                text("id"),
                text("kind"),
                text("name_ja"),
                text("name_en"),
                blob_null("secret"),
                text_null("jwks"),
                text_null("jwks_url"),
                text("scopes"),
                text_null("organization"),
                text("purposes"),
                text_null("launch_url"),
                boolean("custodial"),
                text("municipalities"),
                boolean("disabled"),
                big_integer("created"),
            ],
        ),
        table("client_redirect", &["client", "uri"], vec![text("client"), text("uri"), text_null("origin")]),
    ]
}

fn people() -> Vec<TableCreateStatement> {
    vec![
        table(
            "account",
            &["id"],
            vec![
                text("id"),
                text("name").unique_key().take(),
                text("password"),
                text("kind"),
                text_null("patient"),
                text_null("fhir_user"),
                text_null("organization"),
                text_null("role"),
                boolean("locked"),
                big_integer("created"),
            ],
        ),
        table(
            "authority",
            &["id"],
            vec![
                text("id"),
                text("account"),
                text("patient"),
                text("kind"),
                text_null("related_person"),
                boolean("with_apps"),
                big_integer("valid_from"),
                big_integer_null("valid_until"),
                text("evidence"),
                big_integer("created"),
            ],
        ),
    ]
}

fn browser() -> Vec<TableCreateStatement> {
    vec![
        table(
            "session",
            &["hash"],
            vec![blob("hash"), text("account"), text("csrf"), big_integer("signed_in"), big_integer("expires")],
        ),
        table("known_browser", &["hash"], vec![blob("hash"), text("account"), big_integer("expires")]),
        table("failed_sign_in", &["id"], vec![text("id"), blob("key"), big_integer("at")]),
    ]
}

fn grants() -> Vec<TableCreateStatement> {
    vec![
        table(
            "app_grant",
            &["id"],
            vec![
                text("id"),
                text("client"),
                text("account"),
                text_null("patient"),
                text("scopes"),
                text("purpose"),
                blob_null("session"),
                big_integer("signed_in"),
                big_integer("created"),
                big_integer_null("ended"),
            ],
        ),
        table("grant_consent", &["grant_id", "patient"], vec![text("grant_id"), text("patient"), text("consent")]),
        table(
            "authorization_code",
            &["hash"],
            vec![
                blob("hash"),
                text("grant_id"),
                text("client"),
                text("redirect_uri"),
                text("challenge"),
                text_null("nonce"),
                big_integer("expires"),
                big_integer("used"),
            ],
        ),
    ]
}

fn tokens() -> Vec<TableCreateStatement> {
    vec![
        table(
            "refresh_token",
            &["hash"],
            vec![
                blob("hash"),
                text("grant_id"),
                text("client"),
                big_integer("issued"),
                big_integer("expires"),
                big_integer("used"),
            ],
        ),
        table(
            "access_token",
            &["hash"],
            vec![
                blob("hash"),
                text("id"),
                text_null("grant_id"),
                text("client"),
                text_null("account"),
                text_null("patient"),
                text("scopes"),
                text("purpose"),
                boolean("with_id_token"),
                big_integer("issued"),
                big_integer("expires"),
                big_integer("revoked"),
            ],
        ),
        table("assertion", &["client", "jti"], vec![text("client"), blob("jti"), big_integer("expires")]),
    ]
}
