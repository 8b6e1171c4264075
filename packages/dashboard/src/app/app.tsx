import { useEffect, useMemo, useSyncExternalStore } from "react";
import { DaemonTime } from "../element/ago.tsx";
import { CommandCluster } from "../element/command-line.tsx";
import { LiveBadge } from "../live/live-badge.tsx";
import type { LiveCluster } from "../live/live-cluster.ts";
import { livenessAt } from "../live/liveness.ts";
import { useNow } from "../live/use-now.ts";
import { Announcement } from "./announcement.tsx";
import { headlineFor } from "./headline.ts";
import { Hero } from "./hero.tsx";
import { Notice } from "./notice.tsx";
import { Overview } from "./overview.tsx";
import "./app.css";

/** The frame of every page: who this is, how fresh it is, and the page itself. */
export function App({ live }: { readonly live: LiveCluster }) {
  const { cluster, link, offsetMs, problem } = useSyncExternalStore(live.subscribe, live.state);
  const now = useNow();
  const liveness = livenessAt(Math.max(now, link.heardAt ?? 0), link);
  const headline = useMemo(() => (cluster ? headlineFor(cluster) : undefined), [cluster]);
  const isStale = liveness.kind === "stale";
  const name = cluster?.cluster ?? "";
  useEffect(() => {
    document.title = name === "" ? "Keelson" : `${name} – Keelson`;
  }, [name]);
  return (
    <DaemonTime.Provider value={now + offsetMs}>
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <header className="top-bar">
        <img src="/keelson.svg" alt="" width="28" height="28" />
        <span className="top-bar-name">{name === "" ? "Keelson" : name}</span>
        <LiveBadge liveness={liveness} onRetry={live.retry} />
      </header>
      <main id="content" className="page" data-stale={isStale} tabIndex={-1}>
        <Notice
          liveness={liveness}
          hasCluster={cluster !== undefined}
          problem={problem}
          heardAt={link.heardAt}
        />
        {cluster && headline ? (
          <div className="page-values">
            <Hero headline={headline} cluster={cluster} />
            <CommandCluster.Provider value={name}>
              <Overview cluster={cluster} now={now + offsetMs} />
            </CommandCluster.Provider>
          </div>
        ) : null}
      </main>
      <Announcement
        sentence={isStale ? "The connection to the cluster is lost." : (headline?.sentence ?? "")}
      />
    </DaemonTime.Provider>
  );
}
