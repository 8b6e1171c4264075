import { Title } from "@mantine/core";
import type { Cluster } from "../api/records.ts";
import { ToneIcon } from "../element/state-mark.tsx";
import { Losses } from "./losses.tsx";
import type { Headline } from "./headline.ts";

/** The one sentence in large type, and from where and when it is. */
export function Hero({ headline, cluster }: { readonly headline: Headline; readonly cluster: Cluster }) {
  const { leader } = cluster;
  return (
    <div className="hero">
      <ToneIcon tone={headline.tone} size={40} />
      <div className="hero-words">
        <Title order={1} className="hero-sentence" data-testid="headline">
          {headline.sentence}
        </Title>
        {headline.detail === "" ? null : <p className="hero-detail">{headline.detail}</p>}
        <p className="hero-facts">
          {leader === null ? "no leader" : `led by ${leader.name ?? leader.machine.slice(0, 8)}`} · revision{" "}
          <span data-testid="revision">{cluster.revision}</span>
        </p>
        <Losses cluster={cluster} />
      </div>
    </div>
  );
}
