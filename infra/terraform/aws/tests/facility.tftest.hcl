# terraform test: plans with a provider that asks nothing of AWS.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sxeslake-made" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::epma-lake" }
  }
  mock_resource "aws_sfn_state_machine" {
    defaults = { arn = "arn:aws:states:eu-central-1:111122223333:stateMachine:sxeslake-lock-renewal" }
  }
}

variables {
  bucket     = "epma-lake"
  principals = { reader = ["arn:aws:iam::111122223333:root"] }
}

run "without_lock" {
  command = plan

  assert {
    condition     = aws_s3_bucket.lake.object_lock_enabled == false && length(aws_scheduler_schedule.renewal) == 0
    error_message = "lock_days = 0 locks nothing"
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.lake["ingester"].policy) == jsondecode(
      replace(file("../../aws/ingester.json"), "BUCKET", "epma-lake")
    )
    error_message = "the ingester's policy is that of ../../aws"
  }
  assert {
    condition     = aws_s3_bucket_versioning.lake.versioning_configuration[0].status == "Enabled"
    error_message = "old versions are kept"
  }
}

run "with_lock" {
  command = plan

  variables {
    lock_days   = 60
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"
  }

  assert {
    condition     = aws_s3_bucket_object_lock_configuration.lake[0].rule[0].default_retention[0].days == 60
    error_message = "new objects are locked"
  }
  assert {
    condition     = strcontains(aws_s3_bucket_policy.lake.policy, "\"arn:aws:iam::111122223333:role/sxeslake-made\"")
    error_message = "the bucket's policy names the steward's role"
  }
  assert {
    condition     = !strcontains(aws_s3_bucket_policy.lake.policy, "ACCOUNT") && !strcontains(aws_s3_bucket_policy.lake.policy, "BUCKET")
    error_message = "nothing is left to fill in"
  }
  assert {
    condition     = strcontains(aws_sfn_state_machine.renewer[0].definition, "$millis() + 60 * 86400000")
    error_message = "the renewal locks for as long as new objects are"
  }
  assert {
    condition     = length(aws_iam_role_policy.key) == 3
    error_message = "each role may use the key"
  }
}

run "a_lock_that_is_too_short" {
  command = plan

  variables {
    lock_days = 3
  }

  expect_failures = [var.lock_days]
}
