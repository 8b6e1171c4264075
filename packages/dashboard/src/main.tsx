import "@mantine/core/styles/default-css-variables.css";
import "@mantine/core/styles/global.css";
import "@mantine/core/styles/UnstyledButton.css";
import "@mantine/core/styles/Title.css";
import "@mantine/core/styles/VisuallyHidden.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/app.tsx";
import { LiveCluster } from "./live/live-cluster.ts";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no root");

// keeld's policy allows no inline style: Mantine's variables come from its stylesheet and app.css.
createRoot(root).render(
  <StrictMode>
    <MantineProvider defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <App live={new LiveCluster("/v1/events")} />
    </MantineProvider>
  </StrictMode>,
);
