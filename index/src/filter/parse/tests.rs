use super::*;

fn column_of(text: &str) -> usize {
    let message = parse(text).unwrap_err().to_string();
    let digits: String = message
        .split("column ")
        .nth(1)
        .unwrap()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap()
}

#[test]
fn the_example_of_the_issue() {
    let filter =
        parse("latent(812) and not latent(91, >0.3) and source = \"tweets\" and sentiment < -1")
            .unwrap();
    let expected = Filter::And(vec![
        Filter::latent(812),
        Filter::Latent {
            latent: 91,
            lower: Bound::Excluded(0.3),
            upper: Bound::Unbounded,
        }
        .negate(),
        Filter::equals("source", Value::String("tweets".into())),
        Filter::Attribute {
            name: "sentiment".into(),
            test: AttributeTest::Range {
                lower: Bound::Unbounded,
                upper: Bound::Excluded(Value::Integer(-1)),
            },
        },
    ]);
    assert_eq!(filter, expected);
}

#[test]
fn precedence_and_spellings() {
    let a = || Filter::latent(1);
    let b = || Filter::latent(2);
    let c = || Filter::latent(3);
    assert_eq!(
        parse("latent(1) OR latent(2) And NOT latent(3)").unwrap(),
        Filter::Or(vec![a(), Filter::And(vec![b(), c().negate()])])
    );
    assert_eq!(
        parse("not (latent(1) or latent(2))").unwrap(),
        Filter::Or(vec![a(), b()]).negate()
    );
    assert_eq!(
        parse("`and` exists").unwrap(),
        Filter::Attribute {
            name: "and".into(),
            test: AttributeTest::Exists
        }
    );
    assert_eq!(
        parse("id not in ('x', 7)").unwrap(),
        Filter::Ids(vec!["x".into(), "7".into()]).negate()
    );
    assert_eq!(
        parse(r#"quote = 'it\'s'"#).unwrap(),
        Filter::equals("quote", Value::String("it's".into()))
    );
    assert_eq!(
        parse(r#"path = "C:\\new\\table""#).unwrap(),
        Filter::equals("path", Value::String(r"C:\new\table".into()))
    );
    let visits = Filter::Attribute {
        name: "visits".into(),
        test: AttributeTest::Range {
            lower: Bound::Included(Value::Integer(10)),
            upper: Bound::Excluded(Value::Integer(100)),
        },
    };
    assert_eq!(parse("visits(>= 10, < 100)").unwrap(), visits);
    assert_eq!(parse("`visits` (< 100, >= 10)").unwrap(), visits);
    let like = |pattern, ignore_case| {
        AttributeTest::Like(Pattern {
            ignore_case,
            ..Pattern::new(pattern)
        })
    };
    let path = |test| Filter::Attribute {
        name: "path".into(),
        test,
    };
    assert_eq!(
        parse("path LIKE 'src/%' or path not ilike '%X_'").unwrap(),
        Filter::Or(vec![
            path(like("src/%", false)),
            path(like("%X_", true)).negate()
        ])
    );
    assert_eq!(
        parse("id like 'm-%' and id >= 'b' and id(> 'a', <= 7)").unwrap(),
        Filter::And(vec![
            Filter::Id(IdTest::Like(Pattern::new("m-%"))),
            Filter::Id(IdTest::Range {
                lower: Bound::Included("b".into()),
                upper: Bound::Unbounded,
            }),
            Filter::Id(IdTest::Range {
                lower: Bound::Excluded("a".into()),
                upper: Bound::Included("7".into()),
            }),
        ])
    );
    assert_eq!(
        parse("day = timestamp('1970-01-02')").unwrap(),
        Filter::equals("day", Value::Timestamp(86_400_000_000))
    );
}

#[test]
fn errors_point_at_the_column() {
    assert_eq!(column_of(""), 1);
    assert_eq!(column_of("latent(812"), 11);
    assert_eq!(column_of("latent(x)"), 8);
    assert_eq!(column_of("source = "), 10);
    assert_eq!(column_of("a = 1 b = 2"), 7);
    assert_eq!(column_of("a = 'open"), 5);
    assert_eq!(column_of("a = 1 and ;"), 11);
    assert_eq!(column_of("colour(3)"), 1);
    assert_eq!(column_of(r#"p = "C:\new""#), 8);
    assert_eq!(column_of(r#"p = "C:\"#), 8);
    assert_eq!(column_of("latent(3, > 1, >= 2)"), 16);
    assert_eq!(column_of("visits(= 1)"), 8);
    assert_eq!(column_of(r#"p like "C:\\new%""#), 8);
    assert_eq!(column_of("p like 3"), 8);
    assert_eq!(column_of("id not < 'a'"), 8);
    assert_eq!(column_of("t > timestamp('soon')"), 5);
    assert!(parse(&format!("{}latent(1)", "not ".repeat(50))).is_err());
    assert!(parse(&format!("{}latent(1)", "(".repeat(50))).is_err());
}
