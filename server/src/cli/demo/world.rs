//! The people and organizations of the sample world (`product.md`).

use std::collections::HashMap;

use techo_profiles::json;
use techo_profiles::json::Json;

use crate::app::App;
use crate::cli::Failure;
use crate::consent::write::Keeping;
use crate::import::make::{name, resident_system};
use crate::interaction::follow::Pending;
use crate::interaction::plan::{About, Draft};
use crate::store::WriteSet;
use crate::store::people::Citizen;

/// The town's code, without its check digit.
const TOWN: &str = "10101";

/// Who keeps a resource.
#[derive(Clone, Copy)]
enum Keeper {
    /// It keeps itself: an Organization, or a citizen her own Patient.
    Itself,
    /// This Organization.
    Organization(&'static str),
}

/// Stores the world in one transaction.
pub(super) async fn store(app: &App) -> Result<(), Failure> {
    let mut set = WriteSet::default();
    let mut keys: HashMap<String, i64> = HashMap::new();
    let mut pending = Pending::default();
    for (resource, keeper) in resources() {
        let kind = resource.str("resourceType").unwrap_or_default().to_owned();
        let id = resource.str("id").unwrap_or_default().to_owned();
        let rid = app.store.number().await.map_err(Failure::of)?;
        let custodian = match keeper {
            Keeper::Itself => rid,
            Keeper::Organization(id) => keys.get(&format!("Organization/{id}")).copied().unwrap_or(rid),
        };
        keys.insert(format!("{kind}/{id}"), rid);
        let draft = Draft::read(app, &kind, id.clone(), resource.to_string().into_bytes())
            .map_err(|error| explained(&error))?;
        if kind == "Patient" {
            pending.citizens.insert(id.clone(), Citizen { key: rid, patient: id, custodian });
            set.extras.push(app.store.new_citizen(rid));
            for identifier in resource.list("identifier") {
                if let (Some(system), Some(value)) = (identifier.str("system"), identifier.str("value")) {
                    set.extras.push(app.store.bind((system, value), rid, custodian));
                }
            }
        }
        let about: About = draft.about(app, &pending).await.map_err(|error| explained(&error))?;
        let own = kind == "Patient" && matches!(keeper, Keeper::Itself);
        let keeping = if own { Keeping::returned(custodian) } else { Keeping::published(custodian) };
        set.puts.push(draft.put(app, rid, None, &about, keeping).await.map_err(|error| explained(&error))?);
    }
    match app.store.write(set).await.map_err(Failure::of)? {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure(format!(
            "{} holds another world already, or a demo that was stopped while it was built; choose an empty directory with --data",
            app.config.data.display()
        ))),
    }
}

/// An error with what it says of each element.
pub(super) fn explained(error: &crate::interaction::Error) -> Failure {
    let (_, issues) = error.explained();
    let texts =
        issues.iter().map(|issue| format!("{}: {}", issue.expression.as_deref().unwrap_or_default(), issue.text));
    Failure(texts.collect::<Vec<_>>().join("; "))
}

fn resources() -> Vec<(Json, Keeper)> {
    use Keeper::{Itself, Organization};
    vec![
        (organization("org-city", "例町"), Itself),
        (organization("org-sakura-clinic", "さくら小児科クリニック(架空)"), Itself),
        (organization("org-test", "Test organization"), Itself),
        (practitioner("dr-sato", "佐藤 健", "サトウ ケン"), Organization("org-sakura-clinic")),
        (practitioner("nurse-ito", "伊藤 恵", "イトウ メグミ"), Organization("org-city")),
        (patient("pt-hanako", "山田 花子", "ヤマダ ハナコ", "female", "1992-04-18", None), Itself),
        (
            patient("pt-taro", "山田 太郎", "ヤマダ タロウ", "male", "2021-11-03", Some("0000077001")),
            Organization("org-city"),
        ),
        (
            patient("pt-mei", "山田 芽衣", "ヤマダ メイ", "female", "2026-07-10", Some("0000077002")),
            Organization("org-city"),
        ),
        (patient("pt-stranger", "鈴木 一子", "スズキ カズコ", "female", "1990-01-15", None), Itself),
        (related("rp-hanako-taro", "pt-taro", "山田 花子", "MTH"), Organization("org-city")),
        (related("rp-hanako-mei", "pt-mei", "山田 花子", "MTH"), Organization("org-city")),
        (related("rp-kazuko-taro", "pt-taro", "佐藤 和子", "GRMTH"), Organization("org-city")),
        (related("rp-kazuko-mei", "pt-mei", "佐藤 和子", "GRMTH"), Organization("org-city")),
        (
            person(
                "hanako",
                "山田 花子",
                "ヤマダ ハナコ",
                &["Patient/pt-hanako", "RelatedPerson/rp-hanako-taro", "RelatedPerson/rp-hanako-mei"],
            ),
            Organization("org-city"),
        ),
        (
            person(
                "kazuko",
                "佐藤 和子",
                "サトウ カズコ",
                &["RelatedPerson/rp-kazuko-taro", "RelatedPerson/rp-kazuko-mei"],
            ),
            Organization("org-city"),
        ),
    ]
}

fn organization(id: &str, called: &str) -> Json {
    json!({"resourceType": "Organization", "id": id, "active": true, "name": called})
}

fn practitioner(id: &str, kanji: &str, kana: &str) -> Json {
    json!({
        "resourceType": "Practitioner",
        "id": id,
        "active": true,
        "name": [(name(kanji, "IDE")), (name(kana, "SYL"))]
    })
}

fn patient(id: &str, kanji: &str, kana: &str, gender: &str, birth: &str, resident: Option<&str>) -> Json {
    let identifier = resident.map(|key| json!([{"system": (resident_system(TOWN)), "value": key}]));
    json!({"resourceType": "Patient", "id": id})
        .with_some("identifier", identifier)
        .with("active", true)
        .with("name", json!([(name(kanji, "IDE")), (name(kana, "SYL"))]))
        .with("gender", gender)
        .with("birthDate", birth)
}

fn related(id: &str, patient: &str, called: &str, relation: &str) -> Json {
    json!({
        "resourceType": "RelatedPerson",
        "id": id,
        "active": true,
        "patient": {"reference": (format!("Patient/{patient}"))},
        "relationship": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
            "code": relation
        }]}],
        "name": [(name(called, "IDE"))]
    })
}

fn person(id: &str, kanji: &str, kana: &str, links: &[&str]) -> Json {
    let links = links.iter().map(|target| json!({"target": {"reference": (*target)}}));
    json!({
        "resourceType": "Person",
        "id": id,
        "name": [(name(kanji, "IDE")), (name(kana, "SYL"))],
        "link": (Json::array(links)),
        "active": true
    })
}
