"""What a Prometheus and a Grafana get of the list of checks: metrics, alert rules and a dashboard."""
