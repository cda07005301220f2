//! Writing: a session is found under its own handle, and of concurrent writers one wins.

use std::collections::HashSet;

use futures_util::future::join_all;
use logto_client::storage::{Handle, Replaced, Version};
use logto_core::TokenTarget;
use serde_json::json;

use super::{NOW, OrViolated, Rule, Sample, StorageKind, Suite, Violation};

impl Suite {
    pub(super) async fn what_is_stored_is_loaded(&self) -> Result<(), Violation> {
        let rule = "what is stored is loaded as it was";
        for access_tokens in [0, 1, 3] {
            for sample in [
                Sample {
                    refresh_token: None,
                    access_tokens,
                    ..Sample::default()
                },
                Sample {
                    provider_session: None,
                    access_tokens,
                    ..Sample::default()
                },
                Sample {
                    data: Some(json!({ "theme": "dark" })),
                    access_tokens,
                    ..Sample::default()
                },
            ] {
                let session = sample.build().or_violated(rule)?;
                let created = self.one.create(&session, NOW).await;
                let (handle, version) = created.or_violated(rule)?;
                let stored = self.load(rule, &handle, NOW).await?;
                let stored = stored.ok_or_else(|| rule.violated("it is not there"))?;
                rule.ensure(*stored.session == session, "it is another")?;
                rule.ensure(stored.version == version, "its version is another")?;
                let again = self.load(rule, &handle, NOW).await?;
                rule.ensure(
                    again == Some(stored),
                    "the second look shows something else",
                )?;
            }
        }
        Ok(())
    }

    pub(super) async fn every_handle_is_new(&self) -> Result<(), Violation> {
        let rule = "every session begins under a new handle";
        let session = Sample::default().build().or_violated(rule)?;
        let mut handles = HashSet::new();
        for _ in 0..50 {
            let handle = self.create(rule, &session).await?;
            let fits = handle
                .parts()
                .into_iter()
                .chain([handle.value()])
                .flat_map(str::bytes)
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            rule.ensure(
                fits && handle.value().len() >= 22,
                "a handle is not base64url of 128 bits",
            )?;
            rule.ensure(
                !format!("{handle:?}").contains(handle.value()),
                "Debug shows it",
            )?;
            rule.ensure(handles.insert(handle), "a handle was given twice")?;
        }
        Ok(())
    }

    pub(super) async fn foreign_parts_change_nothing(&self) -> Result<(), Violation> {
        let rule = "parts of a handle that come from elsewhere change nothing";
        let session = Sample::default().build().or_violated(rule)?;
        let handle = self.create(rule, &session).await?;
        let another = self.create(rule, &session).await?;
        let before = self.load(rule, &handle, NOW).await?;
        rule.ensure(before.is_some(), "it is not there")?;
        let foreign = [another.value(), "AAAA", "not base64!"];
        let carried = handle.clone().with_parts(foreign);
        let found = self.load(rule, &carried, NOW).await?;
        rule.ensure(found == before, "something else was loaded")?;
        // The text of an application that transports handles itself is the whole handle.
        let read = self.load(rule, &Handle::new(handle.expose()), NOW).await?;
        rule.ensure(read == before, "in text it is another handle")?;
        self.one.remove(&carried).await.or_violated(rule)?;
        let found = self.load(rule, &handle, NOW).await?;
        rule.ensure(
            found.is_none() || !self.one.is_authoritative(),
            "it was not removed",
        )
    }

    pub(super) async fn foreign_handles_are_nothing(&self) -> Result<(), Violation> {
        let rule = "a handle that was not made here is no session and no error";
        let session = Sample::default().build().or_violated(rule)?;
        let ours = self.create(rule, &session).await?;
        let mut strange: Vec<String> = [
            "",
            "a",
            "unknown",
            "AAAA",
            "../../etc/passwd",
            "' OR 1=1 --",
            "*",
            "a:b",
            "\0",
            "%00",
            "ä€",
        ]
        .map(str::to_owned)
        .into();
        strange.extend([43, 1_000, 100_000].map(|length| "A".repeat(length)));
        let characters: Vec<char> = ours.value().chars().collect();
        for place in [
            0,
            1,
            characters.len() / 2,
            characters.len().saturating_sub(2),
        ] {
            let mut tampered = characters.clone();
            if let Some(character) = tampered.get_mut(place) {
                *character = if *character == 'A' { 'B' } else { 'A' };
            }
            strange.push(tampered.into_iter().collect());
        }
        strange.push(characters.iter().skip(1).collect());
        strange.push(characters.iter().rev().skip(1).rev().collect());
        strange.push(format!("{}A", ours.value()));
        strange.push(format!("{} ", ours.value()));

        for handle in strange.into_iter().map(Handle::new) {
            let found = self.load(rule, &handle, NOW).await?;
            rule.ensure(found.is_none(), "it was loaded")?;
            let replaced = self.replace(rule, &handle, Version(1), &session).await?;
            rule.ensure(replaced == Replaced::Gone, "it was replaced")?;
            self.one.remove(&handle).await.or_violated(rule)?;
        }
        let found = self.load(rule, &ours, NOW).await?;
        rule.ensure(found.is_some(), "the true one suffered")
    }

    pub(super) async fn replace_needs_the_current_version(&self) -> Result<(), Violation> {
        let rule = "only who knows the current version writes";
        let first = Sample::default().build().or_violated(rule)?;
        let mut second = first.clone();
        second.touch(&TokenTarget::user_info(), NOW);
        second.forget(&TokenTarget::user_info());
        let handle = self.create(rule, &first).await?;
        let before = self.loaded(rule, &handle).await?;

        let Replaced::Stored {
            handle: new,
            version,
        } = self.replace(rule, &handle, before.version, &second).await?
        else {
            return Err(rule.violated("the current version was refused"));
        };
        rule.ensure(version > before.version, "versions do not grow")?;
        let moved = self.promises.kind == StorageKind::Browser;
        rule.ensure(
            (new != handle) == moved,
            "the handle changed, or should have",
        )?;
        rule.ensure(
            self.one.is_authoritative() != moved,
            "`is_authoritative` is true where handles stay, and false where they change",
        )?;
        let after = self.loaded(rule, &new).await?;
        rule.ensure(
            *after.session == second && after.version == version,
            "the write is not there",
        )?;

        for stale in [
            before.version,
            Version(0),
            Version(version.0.saturating_add(1)),
            Version(u64::MAX),
        ] {
            let refused = self.replace(rule, &new, stale, &first).await?;
            rule.ensure(
                refused == Replaced::Conflict(after.clone()),
                "another version was taken",
            )?;
        }
        let unchanged = self.loaded(rule, &new).await?;
        rule.ensure(unchanged == after, "a refused write changed it")
    }

    pub(super) async fn of_concurrent_writers_one_wins(&self) -> Result<(), Violation> {
        let rule = "of concurrent writers exactly one wins";
        if self.promises.kind == StorageKind::Browser {
            return Ok(());
        }
        let session = Sample::default().build().or_violated(rule)?;
        let handle = self.create(rule, &session).await?;
        for _ in 0..5 {
            let version = self.loaded(rule, &handle).await?.version;
            let writers = (0..8_u8).map(|writer| {
                let storage = if writer % 2 == 0 {
                    &self.one
                } else {
                    &self.other
                };
                let sample = Sample {
                    id: writer,
                    ..Sample::default()
                };
                let (handle, storage) = (handle.clone(), storage.clone());
                async move {
                    let session = sample.build().or_violated(rule)?;
                    let replaced = storage.replace(&handle, version, &session, NOW).await;
                    Ok((session, replaced.or_violated(rule)?))
                }
            });
            let results: Result<Vec<_>, Violation> = join_all(writers).await.into_iter().collect();
            let results = results?;
            let stored = self.loaded(rule, &handle).await?;
            let won = |replaced: &Replaced| matches!(replaced, Replaced::Stored { .. });
            let winners: Vec<_> = results
                .iter()
                .filter(|(_, replaced)| won(replaced))
                .collect();
            let [(winner, _)] = winners.as_slice() else {
                return Err(rule.violated(format!("{} of 8 won", winners.len())));
            };
            rule.ensure(
                *stored.session == *winner,
                "the winner's session is not there",
            )?;
            let losers_see_it = results.iter().all(|(_, replaced)| match replaced {
                Replaced::Conflict(current) => *current == stored,
                Replaced::Stored { version, .. } => *version == stored.version,
                Replaced::Gone => false,
            });
            rule.ensure(losers_see_it, "a loser was not told what is stored")?;
        }
        Ok(())
    }
}
