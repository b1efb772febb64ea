"""Jobs, one file each: `define(…)` is topology only, `main()` wires real connectors to it."""
