//! What `deploy/` says, held against the service.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tarjoman::client::Access;
use tempfile::TempDir;

use crate::process::{ARTICLE, Running, tarjoman, translate};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap()
}

/// The names that a query has of metrics.
fn metrics_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("tarjoman_") || word.starts_with("process_"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_shows_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).unwrap();
    let service = Running::start(&mut tarjoman(&["serve"]));
    translate(&service.client(&Access::default()).await.unwrap(), ARTICLE).await.unwrap();
    let page = service.metrics_with(&["tarjoman_requests_total"]);
    let mut known: HashSet<String> = HashSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        known.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    let panels = dashboard["panels"].as_array().unwrap();
    let mut shown = HashSet::new();
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
        for name in metrics_in(target["expr"].as_str().unwrap()) {
            assert!(known.contains(name), "{name} isn't on the page: {page}");
            shown.insert(name.to_owned());
        }
    }
    let own = known
        .iter()
        .filter(|name| name.starts_with("tarjoman_") && !name.ends_with("_sum") && !name.ends_with("_count"));
    let unseen: Vec<_> = own.filter(|name| !shown.contains(*name)).collect();
    assert!(unseen.is_empty(), "{unseen:?} aren't on the dashboard");
}

#[test]
fn the_manifests_fit_each_other_and_the_service() {
    let manifests: Vec<Value> = serde_saphyr::from_multiple(&read("kubernetes.yaml")).unwrap();
    let one = |kind: &str| manifests.iter().find(|manifest| manifest["kind"] == kind).unwrap();
    let pod = &one("Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["enableServiceLinks"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let container = &pod["containers"][0];
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);

    let ports = container["ports"].as_array().unwrap();
    let port =
        |name: &Value| ports.iter().find(|port| port["name"] == *name).unwrap()["containerPort"].as_u64();
    assert_eq!(port(&one("Service")["spec"]["ports"][0]["targetPort"]), Some(50051));
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        assert_eq!(port(&container[probe]["httpGet"]["port"]), Some(9464), "{probe}");
    }
    let volumes = pod["volumes"].as_array().unwrap();
    for mount in container["volumeMounts"].as_array().unwrap() {
        assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount}");
    }
    assert_eq!(one("Deployment")["spec"]["selector"]["matchLabels"], one("Service")["spec"]["selector"],);

    // Its settings are ones, and listen where the ports are.
    let settings = one("ConfigMap")["data"]["tarjoman.toml"].as_str().unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("t.toml");
    std::fs::write(&file, settings).unwrap();
    let output = tarjoman(&["serve", "--print-config", "--config", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for line in ["listen = \"[::]:50051\"", "listen = \"[::]:9464\""] {
        assert!(settings.contains(line), "{line}");
    }
}

#[test]
fn systemd_accepts_the_units() {
    let folder = TempDir::new().unwrap();
    let unit = read("tarjoman.service").replace("/usr/local/bin/tarjoman", env!("CARGO_BIN_EXE_tarjoman"));
    std::fs::write(folder.path().join("tarjoman.service"), unit).unwrap();
    std::fs::copy(deploy("tarjoman.socket"), folder.path().join("tarjoman.socket")).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "tarjoman.service", "tarjoman.socket"]).current_dir(&folder);
    match verify.output() {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success() && !told.contains("tarjoman.s"), "{told}");
        }
        // A machine without systemd has nothing to say about its units.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
}

#[test]
fn the_image_is_built_from_what_there_is_and_has_no_root() {
    let text = read("Dockerfile");
    let steps: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let last = steps.iter().rposition(|step| step[0] == "FROM").unwrap();
    let stages: Vec<&str> = steps[..last]
        .iter()
        .filter_map(|step| step.windows(2).find(|w| w[0] == "AS").map(|w| w[1]))
        .collect();
    for step in &steps[last..] {
        for flag in step.iter().filter_map(|word| word.strip_prefix("--from=")) {
            assert!(stages.contains(&flag), "{flag} is no stage");
        }
    }
    let user = steps[last..].iter().find(|step| step[0] == "USER").expect("a user");
    assert!(!user[1].starts_with("root") && !user[1].starts_with('0'), "{user:?}");
}
