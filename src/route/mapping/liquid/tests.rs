//! Templates. Expected texts come from the engine that the reference implementation embeds, in UTC.

use serde_json::{Value, json};

use super::super::Mapping;
use super::super::error::{Class, Stage};

fn event() -> Value {
    json!({
        "s": "Hello  Wörld", "n": 3, "neg": -7.5, "t": true, "f": false, "nul": null, "arr": ["b", null, 1, [2, 3]],
        "objs": [{"a": 1, "b": {"c": 1}}, {"a": 2}, "text", {"a": null}], "o": {"k": 1, "2": "two"}, "emo": "a😀b",
        "date": "2024-02-29T23:59:58.123Z",
    })
}

fn rendered(template: &str) -> Result<String, Class> {
    let mapping = Mapping::new(&json!({"@liquid": template})).unwrap();
    match mapping.resolve(&event()) {
        Ok(Some(Value::String(text))) => Ok(text),
        Ok(other) => panic!("{template} gives {other:?}"),
        Err(error) => Err(error.class()),
    }
}

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    for (template, expected) in rows {
        assert_eq!(rendered(template).as_deref(), Ok(*expected), "{template}");
    }
}

#[test]
fn paths_reach_members_elements_and_what_is_built_in() {
    table(&[
        ("{{ arr }}|{{ o }}|{{ nul }}|{{ none.x }}", "b123|[object Object]||"),
        ("{{ arr[-1].first }}{{ arr.last[1] }}{{ arr.size }}{{ s.size }}{{ o.size }}", "234122"),
        ("{{ o[\"2\"] }}{{ ['o'].k }}{{ objs[n].a }}{{ s.first }}", "two1"),
        ("{{ size }}{{ \"abc\".size }}{{ (1..n) }}{{ 1.2.3 }}", "03123"),
    ]);
}

#[test]
fn operators_have_no_precedence_and_go_from_the_right() {
    table(&[
        ("{{ t or f and f }}{{ f and f or t }}{{ not f }}", "truefalsetrue"),
        (
            "{{ 1 == 1.0 }}{{ \"1\" == 1 }}{{ \"2\" > 1 }}{{ \"b\" > \"a\" }}{{ nul < 1 }}{{ none < 1 }}",
            "truefalsetruetruetruefalse",
        ),
        ("{{ arr contains \"b\" }}{{ s contains \"Wö\" }}{{ n contains 3 }}", "truetruefalse"),
        (
            "{{ nul == nil }}{{ none == nil }}{{ f == blank }}{{ \" \" == blank }}{{ \"\" == empty }}{{ o == o }}",
            "truetruetruetruetruetrue",
        ),
        ("{{ nil == blank }}{{ blank == nil }}{{ nul == none }}{{ x y }}", "falsetruefalse"),
    ]);
}

#[test]
fn tags_render() {
    table(&[
        ("{% if 0 %}a{% endif %}{% if \"\" %}b{% endif %}{% unless f %}c{% else %}d{% endunless %}", "abc"),
        ("{% unless t %}a{% else %}b{% else %}c{% endunless %}", "b"),
        ("{% assign z = s | upcase %}{{ z }} {% capture z %}<{{ n }}>{% endcapture %}{{ z }}", "HELLO  WÖRLD <3>"),
        ("{% increment n %}{% decrement q %}{{ n }}{{ q }}", "3-14-1"),
        ("{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}{% cycle 0, 'x' %}", "ab"),
        (
            "{% raw %}{{ x }}{% endif %}{% endraw %}{% comment %}{{ | }}{% bogus %}{% endcomment %}",
            "{{ x }}{% endif %}",
        ),
        ("{% liquid\nassign z = 5\necho z\n# note\nif t\necho 'y'\nendif %}", "5y"),
        ("a {%- # note -%} b{% break %}c", "ab"),
        ("{% block x %}{{ block.super }}in{% endblock %}{{ \"}}\" }}", "in}}"),
    ]);
}

#[test]
fn filters_of_text() {
    table(&[
        ("{{ s | capitalize }}|{{ \"éa\" | capitalize }}", "Hello  wörld|Éa"),
        ("{{ \"xxaxx\" | strip: \"x\" }}{{ \" a \" | lstrip }}|{{ s | normalize_whitespace }}", "aa |Hello Wörld"),
        (
            "{{ \"abc\" | replace: \"\", \"-\" }}{{ \"aXbX\" | replace_last: \"X\" }}{{ \"aba\" | remove_last: \"a\" }}",
            "a-b-caXbab",
        ),
        ("{{ s | truncate: 8 }}|{{ n | truncate: 8 | plus: 1 }}|{{ s | truncatewords: 1, \"\" }}", "Hello...|4|Hello"),
        ("{{ \"a,b,,\" | split: \",\" | size }}{{ emo | slice: 0 }}{{ s | slice: -3, 2 }}", "2arl"),
        ("{{ \"a b 你好\" | number_of_words: \"cjk\" }}{{ \"a b\" | number_of_words }}", "42"),
        ("{{ \"<a>'&amp;\" | escape_once }}{{ \"<b>x</b><!-- y -->z<\" | strip_html }}", "&lt;a&gt;&#39;&amp;xz<"),
        (
            "{{ \"a b!é\" | cgi_escape }} {{ \"a b[é\" | uri_escape }} {{ \"%C3%A9+\" | url_decode }}",
            "a+b%21%C3%A9 a%20b[%C3%A9 é ",
        ),
        (
            "{{ \"Ä b_c!\" | slugify }} {{ \"é B\" | slugify: \"latin\" }} {{ \"A B\" | slugify: \"none\", true }}",
            "ä-b-c e-b A B",
        ),
        ("{{ \"é\" | base64_encode }}{{ \"w6k\" | base64_decode }}", "w6k=é"),
        ("{{ \"a\" | sha256 | slice: 0, 8 }}{{ \"a\" | hmac_sha256: \"k\" | slice: 0, 8 }}", "ca97811278da9151"),
    ]);
}

#[test]
fn filters_of_numbers_and_lists() {
    table(&[
        ("{{ \"1.005\" | round: 2 }} {{ -2.5 | round }} {{ 7 | divided_by: 2 }} {{ -7 | modulo: 3 }}", "1.01 -3 3.5 2"),
        (
            "{{ 1 | plus }} {{ 1 | divided_by: 0 }} {{ \"x\" | to_integer }} {{ 7 | divided_by: 2, true }}",
            "NaN Infinity NaN 3",
        ),
        ("{{ objs | where: \"b.c\", 1 | size }}{{ objs | where: \"a\", nil | size }}{{ objs | sum: \"a\" }}", "123"),
        (
            "{{ arr | join }}|{{ arr | compact | size }}|{{ arr | push: 5 | unshift: 0 | pop | shift | json }}",
            "b  1 2,3|3|[\"b\",null,1,[2,3]]",
        ),
        (
            "{{ o | json }}{{ (1..2) | json: 1 }}{{ none | json }}{{ f | default: 1, allow_false: true }}",
            "{\"2\":\"two\",\"k\":1}[\n 1,\n 2\n]false",
        ),
        ("{{ o | size }}{{ \"\" | first }}{{ arr | first }}{{ emo | size }}", "0b4"),
    ]);
}

#[test]
fn dates_are_shown_in_utc_or_beside_it() {
    table(&[
        ("{{ date | date: \"%H:%M %Z %z\", \"America/New_York\" }}", "18:59 America/New_York -0500"),
        ("{{ date | date }}", "Thursday, February 29, 2024 at 11:59 pm +0000"),
        (
            "{{ date | date: \"%-d.%-m.%y %I%P %j %U %W %C %e %L %3N %s %q %% %Q %E%Y %^a %_m\" }}",
            "29.2.24 11pm 060 08 08 20 29 123 123 1709251198 th % %Q %Y THU  2",
        ),
        ("{{ date | date: \"%F\" }}{{ 0 | date: \"%H:%M %z %:z %Z\", 90 }}", "%F22:30 -0130 -01:30 -0130"),
        (
            "{{ date | date_to_xmlschema }} {{ date | date_to_rfc822 }}",
            "2024-02-29T23:59:58+00:00 Thu, 29 Feb 2024 23:59:58 +0000",
        ),
        (
            "{{ date | date_to_string }} {{ date | date_to_long_string: \"ordinal\", \"US\" }}",
            "29 Feb 2024 February 29th, 2024",
        ),
        ("{{ \"no date\" | date: \"%Y\" }}{{ nul | date }}{{ \"60\" | date: \"%M\" }}", "no date01"),
    ]);
}

#[test]
fn errors_say_where_a_template_failed() {
    for template in [
        "{{",
        "{{ }}",
        "{{ | }}",
        "{% %}",
        "{{ a b: }} {{ x | y z }}",
        "{% assign = 1 %}",
        "{{ (1..) }}",
        "{% raw %}x",
        "{{ a[ }}",
    ] {
        assert_eq!(rendered(template), Err(Class::Liquid(Stage::Tokenization)), "{template}");
    }
    for template in [
        "{% bogus %}",
        "{% for i in a %}{% endfor %}",
        "{% if t %}",
        "{% raw %}",
        "{% endif %}",
        "{% if t %}{% else x %}{% endif %}",
        "{% comment %}",
        "{% #a\nb %}",
    ] {
        assert_eq!(rendered(template), Err(Class::Liquid(Stage::Parse)), "{template}");
    }
    for template in [
        "{{ arr | sort }}",
        "{{ s | append }}",
        "{{ \"%\" | url_decode }}",
        "{{ f | default: 1, 2 }}",
        "{{ \"now\" | date }}",
        "{{ 0 | date: \"%Y\", \"Nowhere\" }}",
        "{{ (1..100000000) }}",
    ] {
        assert_eq!(rendered(template), Err(Class::Liquid(Stage::Render)), "{template}");
    }
    assert_eq!(rendered("{{ s | bogus: 1 | size }}").as_deref(), Ok("12"));
    assert_eq!(rendered(&"x".repeat(1001)), Err(Class::Directive));
}

#[test]
fn brackets_and_tags_nest_within_bounds() {
    for template in [format!("{{{{ {} }}}}", "(".repeat(900)), format!("{{{{ a{} }}}}", "[a".repeat(400))] {
        assert_eq!(rendered(&template), Err(Class::Liquid(Stage::Tokenization)));
    }
    let tags = format!("{}x{}", "{%if t%}".repeat(50), "{%endif%}".repeat(50));
    assert_eq!(rendered(&tags).as_deref(), Ok("x"));
    let lines = format!("{{% {} echo n %}}", "liquid ".repeat(100));
    assert_eq!(rendered(&lines).as_deref(), Ok("3"));
    assert_eq!(rendered(&format!("{{{{ s{} }}}}", ".0".repeat(400))).as_deref(), Ok("H"));
}
