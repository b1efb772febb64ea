"""What runs? One file a job: `define(…)` is topology only, `main()` wires real connectors to it."""
