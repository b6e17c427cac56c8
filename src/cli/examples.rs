//! The examples that `--help` of each command ends with.

use clap::Command;

/// The commands that do something, by their path, each with lines to copy.
const EXAMPLES: &[(&str, &str)] = &[
    ("demo", "latentdb demo\nlatentdb demo --serve"),
    (
        "serve",
        "latentdb serve --data data\nlatentdb serve --data data --listen 0.0.0.0:7700 --max-requests 64",
    ),
    (
        "snapshot create",
        "latentdb snapshot create\nlatentdb snapshot create nightly --collection reviews --keep 7",
    ),
    ("snapshot list", "latentdb snapshot list"),
    (
        "snapshot restore",
        "latentdb snapshot restore nightly\nlatentdb snapshot restore nightly --collection reviews --as reviews2",
    ),
    ("snapshot delete", "latentdb snapshot delete nightly"),
    (
        "config check",
        "latentdb config check --config latentdb.toml",
    ),
    (
        "config reference",
        "latentdb config reference > latentdb.toml",
    ),
    ("health", "latentdb health --server 127.0.0.1:7700"),
    (
        "verify",
        "latentdb verify data\nlatentdb verify data --deep --json",
    ),
    ("repair", "latentdb repair data"),
    (
        "key create",
        "latentdb key create reports --role read --collection demo --data data",
    ),
    ("key list", "latentdb key list --data data"),
    ("key revoke", "latentdb key revoke reports --data data"),
    (
        "collection create",
        "latentdb collection create reviews\nlatentdb collection create vectors --encoder none --dim 768",
    ),
    ("collection list", "latentdb collection list"),
    ("collection info", "latentdb collection info reviews"),
    ("collection drop", "latentdb collection drop reviews"),
    (
        "collection alias",
        "latentdb collection alias reviews reviews-2026",
    ),
    ("collection unalias", "latentdb collection unalias reviews"),
    (
        "collection attach",
        "latentdb collection attach reviews --sae sae\nlatentdb collection attach reviews --sae wide --as wide",
    ),
    (
        "collection detach",
        "latentdb collection detach reviews wide",
    ),
    (
        "collection optimize",
        "latentdb collection optimize reviews",
    ),
    ("collection sets", "latentdb collection sets reviews"),
    (
        "collection save-set",
        "latentdb collection save-set reviews unhappy --filter 'stars <= 2'",
    ),
    (
        "collection drop-set",
        "latentdb collection drop-set reviews unhappy",
    ),
    (
        "ingest",
        "latentdb ingest reviews reviews.jsonl --id id --text '{title}. {body}' --attribute stars \
         --attribute day:timestamp\nzcat reviews.csv.gz | latentdb ingest reviews - --format csv --id id --text \
         '{body}'",
    ),
    (
        "export",
        "latentdb export reviews backup/reviews\nlatentdb export reviews backup/reviews --format parquet --overwrite",
    ),
    (
        "import",
        "latentdb import backup/reviews --name reviews2\nlatentdb import backup/reviews --sae old/sae --sae \
         fine=saes/fine",
    ),
    (
        "search",
        "latentdb search reviews 'arrived late' --filter 'stars <= 2'\nlatentdb search reviews 'the best thing' \
         --boost 'battery=0.15' --facet source\nlatentdb search reviews --filter 'stars >= 4' \
         --order-by day:desc\nlatentdb search reviews --property 'complaint about a broken product'",
    ),
    ("get", "latentdb get reviews r1 r2"),
    (
        "update",
        "latentdb update reviews --id r17 --set stars=5 --set day:timestamp=2025-03-01 --remove source\nlatentdb update \
         reviews --where 'source = \"news\" and stars < 3' --set checked=false\nlatentdb update reviews --id r17 --set \
         stars=4 --expect-version 0123456789abcdef0123456789abcdef",
    ),
    (
        "delete",
        "latentdb delete reviews r1 r2\nlatentdb delete reviews --filter 'stars = 3'",
    ),
    (
        "count",
        "latentdb count reviews --filter 'latent(9) and stars <= 2'",
    ),
    (
        "facet",
        "latentdb facet reviews --by source --by latents\nlatentdb facet reviews --by day:month --then stars:stats\n\
         latentdb facet reviews --by price:q4 --then source --filter 'stars = 5'",
    ),
    (
        "stats",
        "latentdb stats reviews --attribute price --attribute day\nlatentdb stats reviews --attribute price --quantile .5 \
         --quantile .99",
    ),
    (
        "diff",
        "latentdb diff reviews --a 'stars = 5' --b 'stars = 1' --documents 2\nlatentdb diff answers --a 'model = \"x\"' \
         --b 'model = \"y\"' --pair-by prompt",
    ),
    (
        "correlate",
        "latentdb correlate reviews --min-support 20\nlatentdb correlate reviews --attribute source",
    ),
    (
        "explain",
        "latentdb explain reviews --target stars --latents 16\nlatentdb explain reviews --target source --split-by author",
    ),
    (
        "hypothesise",
        "latentdb hypothesise reviews --a 'stars >= 4' --b 'stars <= 2'\nlatentdb hypothesise reviews --axis tone --judge chat --labeller chat --tokens 200000\nlatentdb hypothesise reviews --pairs",
    ),
    (
        "trends",
        "latentdb trends reviews --by day --every month --rising\nlatentdb trends reviews --by price --bins 10",
    ),
    ("duplicates", "latentdb duplicates reviews --threshold 0.9"),
    ("unexplained", "latentdb unexplained reviews --limit 10"),
    (
        "cluster",
        "latentdb cluster reviews --axis 'price and value' 'delivery and service' --plot groups.svg",
    ),
    (
        "report diff",
        "latentdb report diff reviews --a 'stars = 5' --b 'stars = 1' --out diff.html",
    ),
    (
        "report corr",
        "latentdb report corr reviews --out pairs.html",
    ),
    (
        "report cluster",
        "latentdb report cluster reviews --axis 'price and value' --out clusters.html",
    ),
    (
        "latents list",
        "latentdb latents list reviews --limit 20\nlatentdb latents list reviews --label battery",
    ),
    ("latents show", "latentdb latents show reviews 812"),
    (
        "latents find",
        "latentdb latents find reviews 'late delivery'",
    ),
    (
        "latents families",
        "latentdb latents families reviews --find",
    ),
    (
        "latents label",
        "latentdb latents label reviews\nlatentdb latents label reviews --labeller chat --model gpt-4o-mini",
    ),
    (
        "latents score",
        "latentdb latents score reviews --judge chat --sample 100",
    ),
    ("latents scores", "latentdb latents scores reviews"),
    (
        "latents labels import",
        "latentdb latents labels import reviews labels.jsonl",
    ),
    (
        "latents labels export",
        "latentdb latents labels export reviews labels.jsonl",
    ),
    (
        "latents labels use",
        "latentdb latents labels use reviews 812 1",
    ),
    ("latents split", "latentdb latents split reviews --to wide"),
    (
        "latents map",
        "latentdb latents map reviews reviews:small\nlatentdb latents map reviews next --move labels --move presets --move sets",
    ),
    (
        "latents drift",
        "latentdb latents drift reviews --before 'day < timestamp(\"2026-01-01\")'",
    ),
    (
        "latents export",
        "latentdb latents export reviews --out latents.npz",
    ),
    (
        "steer",
        "latentdb steer reviews 'arrived late' --steer 'delivery=+0.5'\nlatentdb steer reviews 'arrived late' --steer \
         9=+0.5 --sweep 0.5,1,2",
    ),
    (
        "preset save",
        "latentdb preset save reviews calm --steer 'anger=-0.4' --steer-p90",
    ),
    ("preset list", "latentdb preset list reviews"),
    ("preset drop", "latentdb preset drop reviews calm"),
    (
        "encode",
        "latentdb encode reviews.jsonl --text '{title}. {body}' --out vectors.safetensors\nlatentdb encode reviews.jsonl \
         --text '{body}' --shard 0/4 --out parts",
    ),
    (
        "eval property",
        "latentdb eval property --collection reviews --properties properties.json --set reviews",
    ),
    (
        "eval probe",
        "latentdb eval probe --collection reviews --target source,stars --k 1,2,5,16",
    ),
    (
        "eval costs",
        "latentdb eval costs --collection reviews --a 'stars >= 4' --b 'stars <= 2' --property 'a complaint about delivery' --judge local",
    ),
    (
        "eval steering",
        "latentdb eval steering --collection reviews --queries queries.jsonl --scored-by small",
    ),
    (
        "eval sensitivity",
        "latentdb eval sensitivity --collection demo --n 256,1024 --k 8,16\n\
         latentdb eval sensitivity --collection demo --n 1024 --k 16 --trained-on 2000,10000 --markdown t.md",
    ),
    (
        "eval queries",
        "latentdb eval queries --collection reviews --beir scifact --run-out run.txt",
    ),
    (
        "eval runs",
        "latentdb eval runs --qrels qrels.txt --run a.txt --run b.txt",
    ),
    (
        "sae train",
        "latentdb sae train --collection reviews --out sae\nlatentdb sae train --vectors vectors.safetensors --n 4096 --k \
         32 --out sae",
    ),
    (
        "sae sweep",
        "latentdb sae sweep --vectors vectors.safetensors --n 1024,4096 --k 16,32 --out sweep",
    ),
    (
        "sae eval",
        "latentdb sae eval sae --vectors vectors.safetensors",
    ),
    (
        "sae import",
        "latentdb sae import gemma-scope/params.npz --out sae",
    ),
    ("sae info", "latentdb sae info sae"),
    ("inputs", "latentdb inputs"),
    (
        "completions",
        "latentdb completions bash > /etc/bash_completion.d/latentdb",
    ),
];

/// The command with the examples of each command below it.
pub(super) fn with_examples(command: Command) -> Command {
    add(command, "")
}

fn add(mut command: Command, path: &str) -> Command {
    let examples = EXAMPLES.iter().find(|(of, _)| *of == path);
    if let Some((_, lines)) = examples {
        let lines = lines.lines().map(|line| format!("  {line}"));
        let lines: Vec<String> = lines.collect();
        command = command.after_help(format!("Examples:\n{}", lines.join("\n")));
    }
    let names: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    for name in names {
        let below = match path {
            "" => name.clone(),
            path => format!("{path} {name}"),
        };
        command = command.mut_subcommand(name, |command| add(command, &below));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as a shell has them: quotes kept together, without escapes.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        let mut below = command.get_subcommands().peekable();
        if below.peek().is_none() {
            found.push(path.to_owned());
        }
        for command in below {
            let path = format!("{path} {}", command.get_name());
            leaves(command, path.trim(), found);
        }
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        let command = crate::cli::command();
        let mut commands = Vec::new();
        leaves(&command, "", &mut commands);
        let have: Vec<&str> = EXAMPLES.iter().map(|(path, _)| *path).collect();
        assert_eq!(commands, have);
        for (path, lines) in EXAMPLES {
            for line in lines.lines() {
                let line = line.rsplit(" | ").next().unwrap();
                let line = line.split(" > ").next().unwrap();
                assert!(line.starts_with(&format!("latentdb {path}")), "{line}");
                if let Err(error) = command.clone().try_get_matches_from(words(line)) {
                    panic!("{line}: {error}");
                }
            }
        }
    }
}
