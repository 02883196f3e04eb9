//! Imports as an operator and a backend make them, and what is told of them.

use std::path::PathBuf;

use serde_json::Value;

use crate::http::Response;
use crate::world::{Caller, World};

/// What `techo import --json` said, and its exit code.
#[track_caller]
pub fn import(world: &World, more: &[&str], files: &[PathBuf]) -> (i32, Value) {
    let mut arguments = vec!["import", "--json", "--client", "importer"];
    arguments.extend_from_slice(more);
    let paths: Vec<String> = files.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    arguments.extend(paths.iter().map(String::as_str));
    let output = world.server.command(&arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let report = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap_or(-1), report)
}

/// How many resources of a type were `created`, `updated` or `unchanged`.
#[track_caller]
pub fn count(file: &Value, what: &str, kind: &str) -> u64 {
    file[what][kind].as_u64().unwrap_or(0)
}

/// The same of all types.
#[track_caller]
pub fn total(file: &Value, what: &str) -> u64 {
    file[what].as_object().into_iter().flatten().filter_map(|(_, number)| number.as_u64()).sum()
}

/// The issues of a file, each with its text.
#[track_caller]
pub fn issues(file: &Value) -> Vec<(u64, String)> {
    let list = file["issues"].as_array().unwrap_or_else(|| panic!("issues of {file}"));
    for issue in list {
        assert!(issue["text"].as_str().is_some_and(|text| !text.is_empty()), "each issue is explained: {issue}");
        assert!(issue["code"].is_string() && issue["severity"].is_string(), "{issue}");
    }
    list.iter()
        .map(|issue| (issue["line"].as_u64().unwrap_or(0), issue["code"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// A file of the sample town with one check-up of a girl whom nobody knows yet.
#[track_caller]
pub fn row(height: &str) -> String {
    format!(
        "{HEADER}\r\n101010,0000088001,訂正　一子,テイセイ　イチコ,2023-05-10,2,３～４か月児健康診査,2023-09-03,例町保健センター,{height},6.15,40.8,40.1,,,,,,,,,\r\n"
    )
}

/// Posts a file to `$import`.
#[track_caller]
pub fn send(caller: &Caller, name: &str, body: &str) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    caller
        .request("POST", "$import")
        .header("Content-Disposition", &disposition)
        .body("text/csv", body.as_bytes().to_vec())
        .send()
}

/// The report in an answer of `$import`.
#[track_caller]
pub fn report(answer: &Value) -> Value {
    let parts = answer["parameter"].as_array().cloned().unwrap_or_default();
    let part = parts.iter().find(|part| part["name"] == "report").unwrap_or_else(|| panic!("no report in {answer}"));
    let text = part["valueString"].as_str().or_else(|| part["valueBase64Binary"].as_str()).unwrap_or_default();
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {part}"))
}

const HEADER: &str = "自治体コード,宛名番号,氏名,カナ氏名,生年月日,性別,健診種別,診査日,診査場所,身長,体重,胸囲,頭囲,カウプ指数,生歯数,虫歯数,尿蛋白,尿糖,尿潜血,尿白血球,股関節所見,備考";
