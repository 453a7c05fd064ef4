use std::time::Duration;

use clap::Parser;

use super::serve::parse_file;
use super::*;
use crate::catalog::Rules;
use crate::gateway::http::Limits;
use crate::runtime::Certificate;

#[derive(Parser)]
struct Serve {
    #[command(flatten)]
    layer: ServeLayer,
}

fn flags(args: &[&str]) -> ServeLayer {
    Serve::try_parse_from([&["serve"], args].concat()).unwrap().layer
}

#[test]
fn defaults_are_what_the_help_says() {
    let options = ServeOptions::resolve(ServeLayer::default()).unwrap();
    assert_eq!(options.data_dir.to_str(), Some("./shardway-data"));
    assert_eq!(options.listen.to_string(), "127.0.0.1:4570");
    assert_eq!(options.cores, Cores::All);
    assert_eq!(options.journal_file_bytes, 64 << 20);
    assert_eq!(options.tail_bytes, 64 << 20);
    assert_eq!((options.spin, options.log.as_str()), (Duration::ZERO, "info"));
    assert_eq!(options.http.plain.unwrap().to_string(), "127.0.0.1:4567");
    assert_eq!((options.http.secure, options.http.limits), (None, Limits::default()));
    assert_eq!(options.rules, Rules::default());
    let expected = Rules {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        shards_max: 20_000,
        on_demand_max: 50,
        consumers_max: 20,
        control_rates: false,
    };
    assert_eq!(options.rules, expected);
}

#[test]
fn a_flag_wins_over_environment_over_file_over_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shardway.toml");
    std::fs::write(&file, "tail_bytes = \"32MiB\"\nspin_us = 5\nlog = \"debug\"\ncores = 3\n")
        .unwrap();
    // SAFETY: no other test of this process reads or writes these variables, and nothing in it
    // reads the environment but through std, which locks it.
    unsafe {
        std::env::set_var("SHARDWAY_SPIN_US", "6");
        std::env::set_var("SHARDWAY_LOG", "warn");
        std::env::set_var("SHARDWAY_CONFIG", &file);
    }
    let layer = flags(&["--log", "error"]);
    // SAFETY: as above.
    unsafe {
        std::env::remove_var("SHARDWAY_SPIN_US");
        std::env::remove_var("SHARDWAY_LOG");
        std::env::remove_var("SHARDWAY_CONFIG");
    }
    let options = ServeOptions::load(layer).unwrap();
    assert_eq!(options.log, "error", "from the flag");
    assert_eq!(options.spin, Duration::from_micros(6), "from the environment");
    assert_eq!(options.tail_bytes, 32 << 20, "from the file");
    assert_eq!(options.cores, Cores::Count(3), "from the file");
    assert_eq!(options.journal_file_bytes, 64 << 20, "the default");
}

#[test]
fn what_holds_for_all_streams_comes_from_flags_and_file() {
    let file = parse_file(
        "a.toml",
        "account = \"123456789012\"\nregion = \"eu-west-1\"\n\
        shard_limit = 100\non_demand_limit = 0\nconsumer_limit = 5\ncontrol_rates = \"aws\"\n",
    );
    let layer = flags(&["--region", "my-cellar", "--consumer-limit", "7"]).over(file.unwrap());
    let expected = Rules {
        account: "123456789012".into(),
        region: "my-cellar".into(),
        shards_max: 100,
        on_demand_max: 0,
        consumers_max: 7,
        control_rates: true,
    };
    assert_eq!(ServeOptions::resolve(layer).unwrap().rules, expected);
    let off = ServeOptions::resolve(flags(&["--control-rates", "off"])).unwrap();
    assert!(!off.rules.control_rates);
    assert!(Serve::try_parse_from(["serve", "--control-rates", "fast"]).is_err());
}

#[test]
fn the_http_ports_are_chosen_each_for_itself() {
    let resolve = |args: &[&str]| ServeOptions::resolve(flags(args)).map(|options| options.http);
    let off = resolve(&["--http", "off"]).unwrap();
    assert_eq!((off.plain, off.secure), (None, None));
    let own = ["--http", "[::]:80", "--https", "0.0.0.0:443", "--tls-self-signed", "--insecure"];
    let own = resolve(&own).unwrap();
    assert_eq!(own.plain.unwrap().to_string(), "[::]:80");
    let (address, certificate) = own.secure.unwrap();
    assert_eq!(
        (address.to_string().as_str(), certificate),
        ("0.0.0.0:443", Certificate::SelfSigned)
    );
    let files = ["--https", "127.0.0.1:443", "--tls-cert", "c.pem", "--tls-key", "k.pem"];
    let expected = Certificate::Files { cert: "c.pem".into(), key: "k.pem".into() };
    assert_eq!(resolve(&files).unwrap().secure.unwrap().1, expected);
    let file =
        parse_file("a.toml", "http = \"off\"\nhttps = \"[::1]:1\"\ntls_self_signed = true\n");
    let options = ServeOptions::resolve(file.unwrap()).unwrap().http;
    assert_eq!((options.plain, options.secure.unwrap().1), (None, Certificate::SelfSigned));
    assert!(Serve::try_parse_from(["serve", "--http", "4567"]).is_err());
}

#[test]
fn a_certificate_without_a_port_or_a_port_without_a_certificate_is_a_slip() {
    let fails = |args: &[&str]| ServeOptions::resolve(flags(args)).unwrap_err().to_string();
    let https = ["--https", "[::1]:1"];
    assert!(fails(&https).starts_with("https needs a certificate: tls_cert and tls_key"));
    assert_eq!(fails(&["--tls-self-signed"]), "a certificate is of use only with https");
    let half = [https.as_slice(), &["--tls-cert", "c"]].concat();
    assert_eq!(fails(&half), "tls_cert and tls_key are of use only together");
    let both = [half.as_slice(), &["--tls-key", "k", "--tls-self-signed=true"]].concat();
    assert!(fails(&both).starts_with("tls_self_signed makes what"), "{}", fails(&both));
    let not = [half.as_slice(), &["--tls-key", "k", "--tls-self-signed=false"]].concat();
    assert!(ServeOptions::resolve(flags(&not)).is_ok());
}

#[test]
fn what_clients_of_http_may_cost_has_bounds() {
    let resolve = |toml: &str| {
        let layer = parse_file("a.toml", toml).unwrap();
        ServeOptions::resolve(layer).map(|options| options.http.limits)
    };
    let limits = resolve(
        "http_head_bytes = \"16KiB\"\nhttp_body_bytes = \"1MiB\"\nhttp_bodies_bytes = \"8MiB\"\n\
        http_connections = 5\nhttp_streams = 6\nhttp_head_seconds = 7\nhttp_body_seconds = 8\n\
        http_idle_seconds = 9\n",
    );
    let expected = Limits {
        head_bytes: 16 << 10,
        body_bytes: 1 << 20,
        bodies_bytes: 8 << 20,
        connections: 5,
        streams: 6,
        head_wait: Duration::from_secs(7),
        body_wait: Duration::from_secs(8),
        idle: Duration::from_secs(9),
    };
    assert_eq!(limits.unwrap(), expected);
    let large = resolve("http_body_bytes = \"512MiB\"").unwrap();
    assert_eq!(large.bodies_bytes, 512 << 20, "room for one at least");
    for (toml, error) in [
        ("http_head_bytes = 100", "http_head_bytes is 100; it must be between 8KiB and 1MiB"),
        (
            "http_body_bytes = \"2GiB\"",
            "http_body_bytes is 2GiB; it must be between 64KiB and 1GiB",
        ),
        (
            "http_bodies_bytes = \"1MiB\"",
            "http_bodies_bytes is 1MiB; it must be between 16MiB and 1TiB",
        ),
        ("http_connections = 0", "http_connections is 0; it must be at least 1"),
        ("http_idle_seconds = 0", "http_idle_seconds is 0; it must be between 1 and 3600"),
    ] {
        assert_eq!(resolve(toml).unwrap_err().to_string(), error);
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let error = parse_file("a.toml", "listen = \"0.0.0.0:1\"\njournal_bytes = 5\n").unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("config file a.toml, line 2: "), "{text}");
    assert!(text.contains("`journal_bytes`") && text.contains("`journal_file_bytes`"), "{text}");
    assert!(!text.contains('\n'));
    assert!(parse_file("a.toml", "config = \"b.toml\"").is_err(), "files do not nest");
}

#[test]
fn a_wrong_value_in_the_file_is_named() {
    let error = parse_file("a.toml", "tail_bytes = \"64 apples\"").unwrap_err().to_string();
    assert!(error.contains("64 apples"), "{error}");
    let error = parse_file("a.toml", "cores = 0").unwrap_err().to_string();
    assert!(error.contains("at least one core"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let layer = ServeLayer { config: Some("/nowhere/x.toml".into()), ..ServeLayer::default() };
    let error = ServeOptions::load(layer).unwrap_err().to_string();
    assert!(error.starts_with("config file /nowhere/x.toml: "), "{error}");
}

#[test]
fn values_out_of_bounds_name_option_and_bounds() {
    let fails = |toml: &str| {
        let layer = parse_file("a.toml", toml).unwrap();
        ServeOptions::resolve(layer).unwrap_err().to_string()
    };
    assert_eq!(
        fails("journal_file_bytes = \"1MiB\""),
        "journal_file_bytes is 1MiB; it must be between 16MiB and 16GiB"
    );
    assert_eq!(
        fails("journal_file_bytes = 33554433"),
        "journal_file_bytes is 33554433; it must be a multiple of 4096 bytes"
    );
    assert_eq!(fails("tail_bytes = 1"), "tail_bytes is 1; it must be between 16MiB and 1TiB");
    assert_eq!(fails("spin_us = 2000000"), "spin_us is 2000000; it must be at most 1000000");
    for wrong in ["12345678901", "1234567890123", "12345678901a"] {
        assert_eq!(
            fails(&format!("account = \"{wrong}\"")),
            format!("account is `{wrong}`; it must be 12 digits")
        );
    }
    assert!(fails("region = \"Paris\"").starts_with("region is `Paris`; it must be 1 to 32"));
    assert!(fails("log = \"a=b=c\"").starts_with("log is `a=b=c`; it must be a level"));
}

#[test]
fn a_plain_number_of_cores_is_a_count_and_a_list_is_cpu_numbers() {
    let parsed = |text: &str| text.parse::<Cores>();
    assert_eq!(parsed("2"), Ok(Cores::Count(2)));
    assert_eq!(parsed("cpu:2"), Ok(Cores::Cpus(vec![2])));
    assert_eq!(parsed("0,2-3"), Ok(Cores::Cpus(vec![0, 2, 3])));
    assert_eq!(parsed("1-1"), Ok(Cores::Cpus(vec![1])));
    assert_eq!(parsed("all"), Ok(Cores::All));
    for wrong in ["", "0", "x", "3-1", "0,0", "0-2,1", "1,", "-1", "cpu:"] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    for text in ["all", "3", "cpu:7", "cpu:0,1"] {
        assert_eq!(parsed(text).unwrap().to_string(), text);
    }
}

#[test]
fn sizes_have_units() {
    let parsed = |text: &str| text.parse::<ByteSize>().map(|s| s.0);
    assert_eq!(parsed("64MiB"), Ok(64 << 20));
    assert_eq!(parsed(" 10 mb "), Ok(10_000_000));
    assert_eq!(parsed("4096"), Ok(4096));
    assert_eq!(parsed("0B"), Ok(0));
    for wrong in ["", "MiB", "-1", "1.5GiB", "1 XB", "99999999999TiB"] {
        assert!(parsed(wrong).is_err(), "{wrong}");
    }
    assert_eq!(ByteSize(1 << 20).to_string(), "1MiB");
    assert_eq!(ByteSize(1025).to_string(), "1025");
    assert_eq!(ByteSize(3000).to_string(), "3kB");
    assert_eq!(ByteSize(0).to_string(), "0");
}

#[test]
fn the_readme_shows_a_file_that_works() {
    let readme = include_str!("../../README.md");
    let (_, toml) = readme.split_once("```toml\n").unwrap();
    let (toml, _) = toml.split_once("```").unwrap();
    let options = ServeOptions::resolve(parse_file("README.md", toml).unwrap()).unwrap();
    assert_eq!(options.rules, Rules::default(), "it shows the defaults");
}
