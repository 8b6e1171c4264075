import { Title } from "@mantine/core";
import { useId } from "react";
import type { ReactNode } from "react";
import "./section.css";

/** A part of the page with its heading. */
export function Section({
  title,
  note,
  children,
}: {
  readonly title: string;
  readonly note?: ReactNode;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <section className="section" aria-labelledby={id}>
      <div className="section-head">
        <Title order={2} id={id} className="section-title">
          {title}
        </Title>
        {note === undefined ? null : <span className="section-note">{note}</span>}
      </div>
      <div className="card">{children}</div>
    </section>
  );
}
