import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// keeld serves the result under a policy that allows no inline script or style and no data in CSS.
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: "es2022",
    cssMinify: true,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
});
