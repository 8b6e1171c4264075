// Units that run to their end with their results, and timers of the cluster.
import { jsonAnswer } from "../answer.ts";
import { withCluster } from "../context.ts";
import type { ApiContext, ApiRoutes } from "../context.ts";
import { jobView, timerView } from "../views/job-view.ts";
import type { JobsView } from "../wire/job.ts";
import type { TimersView } from "../wire/timer.ts";
import { compareNames } from "../../model/unit-name.ts";

export function jobRoutes(routes: ApiRoutes, context: ApiContext): void {
  routes.get("/v1/jobs", async () => {
    const answer = await withCluster(context, (snapshot): Promise<JobsView> => {
      const jobs = [...snapshot.jobs.values()].map((job) => jobView(job, snapshot));
      jobs.sort((a, b) => compareNames(a.name, b.name));
      return Promise.resolve({ revision: snapshot.revision, jobs });
    });
    return jsonAnswer(answer);
  });

  routes.get("/v1/timers", async () => {
    const answer = await withCluster(context, (snapshot): Promise<TimersView> => {
      const timers = [...snapshot.timers.values()].map((timer) => timerView(timer, snapshot));
      timers.sort((a, b) => compareNames(a.name, b.name));
      return Promise.resolve({ revision: snapshot.revision, timers });
    });
    return jsonAnswer(answer);
  });
}
