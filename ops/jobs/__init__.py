"""What runs on the cluster, and how is it submitted? Also SQL pipelines."""
