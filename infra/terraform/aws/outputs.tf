output "lake" {
  description = "An address for `sxeslake init`."
  value       = "s3://${aws_s3_bucket.lake.id}/main"
}

output "roles" {
  description = "ARNs of the roles: role_arn of the profiles in ~/.aws/config."
  value       = { for name, role in aws_iam_role.lake : name => role.arn }
}

output "lock_renewal" {
  description = "The state machine that renews the lock each week; watch its failed executions. Null without lock."
  value       = one(aws_sfn_state_machine.renewer[*].arn)
}
