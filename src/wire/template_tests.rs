use proptest::prelude::*;

use super::*;

fn json(text: &str) -> Json {
    json::parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

fn render_with_output(template: &str, output: &Json) -> Result<String, TemplateError> {
    let template = Template::new(template.into())?;
    let event = json(r#"{"kind":"goal","payload":{"team":"Home","minute":83}}"#);
    let ctx = json(r#"{"score":{"home":2,"away":1},"names":["a","b"]}"#);
    let scope = [("ctx", &ctx), ("event", &event), ("output", output)];
    let scope = scope.into_iter().map(|(name, value)| (Arc::from(name), value.clone())).collect();
    template.render(&scope).map(|value| format!("{value:?}"))
}

fn rendered(template: &str) -> Result<String, TemplateError> {
    render_with_output(template, &json(r#"{"text":"hi {{ ctx }}","n":1.0,"none":null}"#))
}

#[test]
fn a3_strings_are_filled_in_and_a_sole_expression_keeps_its_type() {
    for (template, value) in [
        ("plain", "\"plain\""),
        ("{{ event.payload.minute }}", "83"),
        ("{{event.payload.minute + 1}}", "84"),
        ("{{ output.n }}", "1.0"),
        ("{{ output.none }}", "null"),
        ("{{ ctx.score }}", r#"{"away":1,"home":2}"#),
        ("{{ ctx.names }}", r#"["a","b"]"#),
        ("{{ ctx.names | reverse }}", r#"["b","a"]"#),
        ("{{ {'x': [1, true, none]} }}", r#"{"x":[1,true,null]}"#),
        ("{{ ctx.score.home > ctx.score.away }}", "true"),
        ("{{ output.missing | default('-') }}", "\"-\""),
        ("{{ event.payload.minute }}'", "\"83'\""),
        ("{{ ctx.score.home }}:{{ ctx.score.away }}", "\"2:1\""),
        ("{{- ctx.score.home }}", "\"2\""),
        ("{% for name in ctx.names %}{{ name }};{% endfor %}", "\"a;b;\""),
        ("score {{ ctx.score }}\n", r#""score {\"away\":1,\"home\":2}\n""#),
    ] {
        assert_eq!(rendered(template).as_deref(), Ok(value), "{template}");
    }
}

#[test]
fn a3_templates_reach_into_lists_and_objects_and_leave_keys_alone() {
    let template = Template::new(json(r#"{"{{k}}":["{{ output }}",{"a":"x{{ event }}"}],"n":1}"#));
    let scope = [("output", "1"), ("event", "2")];
    let scope = scope.into_iter().map(|(name, value)| (Arc::from(name), json(value))).collect();
    let value = template.unwrap().render(&scope).unwrap();
    assert_eq!(value, json(r#"{"{{k}}":[1,{"a":"x2"}],"n":1}"#));
}

#[test]
fn a3_rendered_data_is_never_expanded_again() {
    assert_eq!(rendered("{{ output.text }}").as_deref(), Ok("\"hi {{ ctx }}\""));
    assert_eq!(rendered("<{{ output.text }}>").as_deref(), Ok("\"<hi {{ ctx }}>\""));
}

#[test]
fn a3_long_integers_pass_through_with_all_their_digits() {
    let long = json("123456789012345678901234567890123456789012");
    let digits = "123456789012345678901234567890123456789012";
    assert_eq!(render_with_output("{{ output }}", &long).as_deref(), Ok(digits));
    assert_eq!(render_with_output("n={{ output }}", &long), Ok(format!("\"n={digits}\"")));
}

#[test]
fn a4_a_template_that_names_nothing_or_never_ends_fails() {
    for template in [
        "{{ output.missing }}",
        "text {{ output.missing }}",
        "{{ nothing }}",
        "{{ 1 / 0 }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    ] {
        assert!(rendered(template).is_err(), "{template}");
    }
}

#[test]
fn a_template_that_cannot_be_read_is_refused_when_it_is_made() {
    for template in ["{{ output.", "{% for x %}", "{{ a }} {{ b"] {
        let nested = Json::Array(Arc::new(vec![template.into()]));
        assert_eq!(Template::new(nested).unwrap_err().template, template);
    }
}

proptest! {
    #[test]
    fn any_text_never_panics(text in "(\\{\\{|\\}\\}|\\{%|%\\}|output|[-+ .|()\\[\\]'a1]){0,8}") {
        let _unused = rendered(&text);
    }
}
