use super::*;

/// Host as written in a URL, and what must be said about it; `""` lets it pass.
const LITERALS: &[(&str, &str)] = &[
    ("8.8.8.8", ""),
    ("1.1.1.1", ""),
    ("9.255.255.255", ""),
    ("11.0.0.0", ""),
    ("100.63.255.255", ""),
    ("100.128.0.0", ""),
    ("126.255.255.255", ""),
    ("128.0.0.0", ""),
    ("168.63.129.15", ""),
    ("169.253.255.255", ""),
    ("169.255.0.0", ""),
    ("172.15.255.255", ""),
    ("172.32.0.0", ""),
    ("192.0.1.0", ""),
    ("192.167.255.255", ""),
    ("192.169.0.0", ""),
    ("198.17.255.255", ""),
    ("198.20.0.0", ""),
    ("223.255.255.255", ""),
    ("134744072", ""), // 8.8.8.8
    ("[2606:4700:4700::1111]", ""),
    ("[2a00:1450:4001:81b::200e]", ""),
    ("[2001:200::1]", ""), // the first allocation after 2001::/23
    ("[2001:4860:4860::8888]", ""),
    ("[2003::1]", ""),
    ("0.0.0.0", "this network"),
    ("0.1.2.3", "this network"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.0", "carrier-grade NAT"),
    ("100.100.100.200", "carrier-grade NAT"), // a cloud's metadata service
    ("100.127.255.255", "carrier-grade NAT"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("127.1", "loopback"),
    ("2130706433", "loopback"),
    ("0x7f000001", "loopback"),
    ("0x7f.1", "loopback"),
    ("0177.0.0.1", "loopback"),
    ("017700000001", "loopback"),
    ("127.0.0.1.", "loopback"),
    ("%31%32%37.0.0.1", "loopback"),
    ("127。0。0。1", "loopback"),
    ("①②⑦.0.0.1", "loopback"),
    ("0", "this network"),
    ("0x0", "this network"),
    ("3232235777", "private"), // 192.168.1.1
    ("0xc0a80101", "private"),
    ("012.0.0.1", "private"), // 10.0.0.1
    ("168.63.129.16", "a cloud's host agent"),
    ("169.254.0.1", "link-local"),
    ("169.254.169.254", "link-local"),
    ("2852039166", "link-local"), // 169.254.169.254
    ("0xa9fea9fe", "link-local"),
    ("172.16.0.0", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.0", "protocol assignments"),
    ("192.0.0.170", "protocol assignments"),
    ("192.0.2.1", "documentation"),
    ("192.88.99.1", "6to4 relay"),
    ("192.168.0.0", "private"),
    ("192.168.255.255", "private"),
    ("198.18.0.0", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("localhost", "loopback"),
    ("LocalHost.", "loopback"),
    ("sub.localhost", "loopback"),
    ("[::]", "unspecified"),
    ("[::1]", "loopback"),
    ("[0:0:0:0:0:0:0:1]", "loopback"),
    ("[::127.0.0.1]", "IPv4-compatible"),
    ("[::8.8.8.8]", "IPv4-compatible"),
    ("[::ffff:127.0.0.1]", "IPv4-mapped"),
    ("[::ffff:7f00:1]", "IPv4-mapped"),
    ("[::ffff:8.8.8.8]", "IPv4-mapped"),
    ("[::ffff:0:127.0.0.1]", "IPv4-translated"),
    ("[64:ff9b::7f00:1]", "NAT64"),
    ("[64:ff9b:1::1]", "NAT64"),
    ("[100::1]", "discard only"),
    ("[2001::1]", "Teredo"),
    ("[2001:0:7f00:1::]", "Teredo"),
    ("[2001:2::1]", "benchmarking"),
    ("[2001:10::1]", "protocol assignments"),
    ("[2001:1ff:ffff::]", "protocol assignments"),
    ("[2001:db8::1]", "documentation"),
    ("[2002:7f00:1::1]", "6to4"),
    ("[3ffe::1]", "returned test network"),
    ("[3fff:fff::1]", "documentation"),
    ("[5f00::1]", "segment routing"),
    ("[fc00::1]", "unique local"),
    ("[fd00:ec2::254]", "unique local"), // a cloud's metadata service
    ("[fe80::1]", "link-local"),
    ("[febf::1]", "link-local"),
    ("[fec0::1]", "site-local"),
    ("[ff02::1]", "multicast"),
    ("[4000::1]", "not global unicast"),
    ("[1fff::1]", "not global unicast"),
];

/// Hosts that are no host at all: the URL type refuses them, so no request can be made of them.
const UNREADABLE: &[&str] = &[
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[::1%lo]",
    "256.256.256.256",
    "127.0.0.0x100000000",
    "1.2.3.4.5",
    "[::ffff:127.0.0.0.1]",
    "[127.0.0.1]",
    "4294967296",
    "",
];

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn each_literal_is_judged_however_it_is_written() {
    let guard = Guard::new(false, &[]);
    for (host, what) in LITERALS {
        let judged = guard.url(&url(&format!("https://{host}/path")));
        match judged {
            Ok(()) => assert_eq!(*what, "", "{host} passed"),
            Err(denied) => assert!(
                !what.is_empty() && denied.to_string().contains(&format!("({what})")),
                "{host}: expected `{what}`, got: {denied}"
            ),
        }
    }
}

#[test]
fn zone_ids_and_malformed_hosts_never_become_a_url() {
    for host in UNREADABLE {
        assert!(Url::parse(&format!("https://{host}/")).is_err(), "{host} was read");
    }
}

#[test]
fn loopback_is_allowed_by_name_of_the_rule_only_and_mapped_addresses_are_not_it() {
    let guard = Guard::new(true, &[]);
    for host in ["127.0.0.1", "127.9.9.9", "localhost", "[::1]", "2130706433"] {
        assert_eq!(guard.url(&url(&format!("http://{host}:8080/"))), Ok(()), "{host}");
    }
    for host in ["[::ffff:127.0.0.1]", "[::127.0.0.1]", "10.0.0.1", "0.0.0.0", "[64:ff9b::7f00:1]"] {
        assert!(guard.url(&url(&format!("http://{host}:8080/"))).is_err(), "{host}");
    }
}

#[test]
fn a_listed_host_passes_and_its_neighbours_do_not() {
    let guard = Guard::new(false, &["10.1.2.3".into(), "[fd00::7]".into(), "CRM.internal.".into()]);
    assert_eq!(guard.url(&url("https://10.1.2.3/")), Ok(()));
    assert_eq!(guard.url(&url("https://[fd00::7]/")), Ok(()));
    assert!(guard.url(&url("https://10.1.2.4/")).is_err());
    let private = vec!["10.9.9.9:0".parse().unwrap()];
    assert_eq!(guard.resolved("crm.internal", private.clone()), Ok(private.clone()));
    assert_eq!(guard.resolved("crm.internal.", private.clone()), Ok(private.clone()));
    assert!(guard.resolved("xcrm.internal", private).is_err());
}

#[test]
fn a_name_that_answers_public_then_private_is_refused_the_second_time() {
    let guard = Guard::new(false, &[]);
    let public = vec!["93.184.216.34:0".parse().unwrap()];
    assert_eq!(guard.resolved("rebind.example", public.clone()), Ok(public));
    let denied = guard.resolved("rebind.example", vec!["169.254.169.254:0".parse().unwrap()]).unwrap_err();
    assert!(denied.to_string().contains("rebind.example is a reserved address (link-local)"), "{denied}");
}

#[test]
fn of_mixed_answers_only_the_public_ones_are_left_in_their_order() {
    let guard = Guard::new(false, &[]);
    let mixed = ["10.0.0.1:0", "8.8.8.8:0", "[64:ff9b::1]:0", "1.1.1.1:0"].map(|text| text.parse().unwrap());
    let passed = guard.resolved("mixed.example", mixed.to_vec()).unwrap();
    assert_eq!(passed, ["8.8.8.8:0", "1.1.1.1:0"].map(|text| text.parse::<SocketAddr>().unwrap()));
    assert!(guard.resolved("empty.example", Vec::new()).is_err());
}

#[test]
fn other_schemes_and_credentials_in_the_address_are_refused() {
    let guard = Guard::new(true, &[]);
    for address in ["ftp://example.com/", "file:///etc/passwd", "data:,x", "https://me@example.com/"] {
        assert!(guard.url(&url(address)).is_err(), "{address}");
    }
    let denied = guard.url(&url("https://me:hush@example.com/")).unwrap_err().to_string();
    assert!(!denied.contains("hush"), "{denied}");
}

#[test]
fn only_https_and_loopback_are_private_lines() {
    for (address, private) in [
        ("https://example.com/", true),
        ("http://example.com/", false),
        ("http://127.0.0.1:9/", true),
        ("http://[::1]:9/", true),
        ("http://localhost:9/", true),
        ("http://a.localhost/", true),
        ("http://localhost.example.com/", false),
        ("http://notlocalhost/", false),
        ("http://[::ffff:127.0.0.1]/", false),
    ] {
        assert_eq!(is_private_line(&url(address)), private, "{address}");
    }
}

#[test]
fn an_audience_is_scheme_host_and_port() {
    let audience = Audience::of([&url("https://api.linkedin.com/rest"), &url("http://127.0.0.1:8080")]);
    for (address, admitted) in [
        ("https://api.linkedin.com/rest/conversionEvents", true),
        ("https://API.LinkedIn.com:443/other", true),
        ("https://api.linkedin.com:444/", false),
        ("http://api.linkedin.com/", false),
        ("https://api.linkedin.com.evil.example/", false),
        ("https://www.linkedin.com/", false),
        ("http://127.0.0.1:8080/x", true),
        ("http://127.0.0.1:8081/x", false),
        ("http://localhost:8080/x", false),
        ("data:,x", false),
    ] {
        assert_eq!(audience.admits(&url(address)), admitted, "{address}");
    }
}
