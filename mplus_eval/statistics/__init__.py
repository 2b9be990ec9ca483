"""Statistics of paired comparisons: arrays in, numbers out; no model, file or report in sight."""
