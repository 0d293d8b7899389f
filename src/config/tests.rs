use super::*;
use crate::Error;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/tarjoman.example.toml");

fn layers() -> Layers {
    Layers::defaults().unwrap()
}

fn with_file(text: &str) -> crate::Result<Layers> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tarjoman.toml");
    std::fs::write(&path, text).unwrap();
    let mut layers = layers();
    layers.file(&path)?;
    Ok(layers)
}

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn the_defaults_are_valid_and_come_through_their_layers_unchanged() {
    assert_eq!(layers().config().unwrap(), Config::default());
}

#[test]
fn the_example_has_every_key_and_every_default() {
    let mut example = layers();
    example.file(EXAMPLE.as_ref()).unwrap();
    assert_eq!(example.config().unwrap(), Config::default());
    let printed = example.to_string();
    let unset: Vec<_> = printed.lines().filter(|line| line.ends_with("# default")).collect();
    assert!(unset.is_empty(), "{unset:?}");
}

#[test]
fn each_key_of_the_example_stands_under_a_comment() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let mut before = "";
    for line in text.lines() {
        let bare = !line.is_empty() && !line.starts_with(['#', '[']);
        assert!(!bare || before.starts_with('#'), "{line:?} has no comment");
        before = line;
    }
}

#[test]
fn a_later_layer_goes_before_an_earlier_one_and_each_value_tells_its_origin() {
    let mut layers = with_file("[limits]\nconnections = 1\nmessage_bytes = 2\narticle_bytes = 3\n").unwrap();
    let environment = [("TARJOMAN_LIMITS_MESSAGE_BYTES", "20"), ("TARJOMAN_LIMITS_ARTICLE_BYTES", "30")];
    layers.environment(variables(&environment)).unwrap();
    layers.flag("--set", "limits.article_bytes", "300").unwrap();
    let limits = layers.config().unwrap().limits;
    assert_eq!((limits.connections, limits.message_bytes, limits.article_bytes), (1, 20, 300));
    let printed = layers.to_string();
    for line in [
        "message_bytes = 20  # TARJOMAN_LIMITS_MESSAGE_BYTES",
        "article_bytes = 300  # --set",
        "paragraph_bytes = 8388608  # default",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} isn't in {printed}");
    }
    let connections = printed.lines().find(|line| line.starts_with("connections = 1  # ")).unwrap();
    assert!(connections.ends_with("tarjoman.toml"), "{connections}");
}

#[test]
fn what_is_printed_is_a_configuration_file() {
    let mut first = layers();
    first.flag("--listen", "server.listen", "[::1]:1").unwrap();
    first.flag("--set", "limits.stall_timeout_seconds", "0.25").unwrap();
    first.flag("--set", "tls.certificate", "a \"quoted\" name").unwrap();
    first.flag("--set", "tls.key", "k").unwrap();
    let again = with_file(&first.to_string()).unwrap();
    assert_eq!(again.config().unwrap(), first.config().unwrap());
    assert_eq!(again.config().unwrap().limits.stall_timeout, Duration::from_millis(250));
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    for (text, named, nearest) in [
        ("[limits]\nconections = 1\n", "limits.conections", "limits.connections"),
        ("[tsl]\nkey = \"\"\n", "tsl.key", "tls.key"),
        ("listen = \"127.0.0.1:1\"\n", "listen", "server.listen"),
    ] {
        let error = with_file(text).unwrap_err().to_string();
        assert!(error.starts_with(named) && error.contains(nearest), "{error}");
    }
    let unknown = [("TARJOMAN_LIMIT_CONNECTIONS", "1")];
    let error = layers().environment(variables(&unknown)).unwrap_err().to_string();
    assert!(error.contains("TARJOMAN_LIMITS_CONNECTIONS"), "{error}");
    let error = layers().flag("--set", "log.fromat", "json").unwrap_err().to_string();
    assert!(error.contains("log.format"), "{error}");
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [
        ("HOME", "/"),
        ("TARJOMAN_LOG", "debug"),
        ("TARJOMAN_CONFIG", "f"),
        ("TARJOMAN_HOME", "/t"),
        ("TARJOMAN_QUEUE", "nats://queue"),
    ];
    let mut layers = layers();
    layers.environment(variables(&others)).unwrap();
    assert_eq!(layers.config().unwrap(), Config::default());
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_its_origin() {
    let cases = [
        ("limits.connections", "0"),
        ("limits.connections", "-1"),
        ("limits.header_bytes", "100"),
        ("limits.header_bytes", "5000000000"),
        ("limits.receiving_bytes", "1000"),
        ("limits.stall_timeout_seconds", "-1"),
        ("limits.stall_timeout_seconds", "0"),
        ("limits.idle_timeout_seconds", "1e300"),
        ("limits.idle_timeout_seconds", "nan"),
        ("limits.message_bytes", "many"),
        ("server.listen", "localhost"),
        ("server.insecure", "yes"),
        ("log.format", "xml"),
        ("metrics.listen", "9090"),
        ("web.allowed_origins", "reader.example"),
        ("web.allowed_origins", "https://reader.example/"),
        ("web.allowed_origins", "https://reader.example *"),
    ];
    for (key, text) in cases {
        let mut layers = layers();
        let error = match layers.flag("--flag", key, text) {
            Ok(()) => layers.config().unwrap_err(),
            Err(error) => error,
        };
        let Error::Config { place, .. } = &error else { panic!("{error}") };
        assert_eq!(*place, format!("{key} (from --flag)"), "{error}");
    }
}

#[test]
fn certificates_without_their_keys_and_the_reverse_are_refused() {
    for (set, missing) in
        [("tls.certificate", "tls.key"), ("tls.key", "tls.certificate"), ("tls.client_ca", "tls.certificate")]
    {
        let mut layers = layers();
        layers.flag("--set", set, "file.pem").unwrap();
        let error = layers.config().unwrap_err().to_string();
        assert!(error.contains(missing), "{set}: {error}");
    }
}

#[test]
fn other_machines_get_in_only_over_tls_or_by_the_operators_word() {
    let plain = Config::default();
    for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        plain.check_address(address.parse().unwrap()).unwrap();
    }
    let mut insecure = plain.clone();
    insecure.server.insecure = true;
    let mut encrypted = plain.clone();
    encrypted.tls.certificate = Some("c".into());
    for address in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[::ffff:10.0.0.1]:1", "[fe80::1]:1"] {
        let address = address.parse().unwrap();
        assert!(plain.check_address(address).unwrap_err().to_string().contains("--insecure"));
        insecure.check_address(address).unwrap();
        encrypted.check_address(address).unwrap();
    }
}
